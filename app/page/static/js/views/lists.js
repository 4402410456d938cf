// Ranked lists as bars with pictures.

import { count, duration, percent } from "../format.js";
import { h, picture } from "../dom.js";
import { address, insight, narrowed, question, state } from "../state.js";
import { words } from "../words.js";

/** @typedef {import("../state.js").State} State */
/** @typedef {import("../panel.js").View} View */

const ROWS = 8;

/**
 * What a row of any list is about, and where a click on it leads.
 * @param {any} row
 * @returns {{ name: string, detail: string, changes: State }}
 */
export function subjectOfRow(row) {
  if (row.track_id)
    return { name: row.track_name, detail: row.artist_name ?? "", changes: narrowed({ track_id: row.track_id }) };
  if (row.artist_id) return { name: row.artist_name, detail: "", changes: narrowed({ artist_id: row.artist_id }) };
  if (row.genre) return { name: row.genre, detail: "", changes: narrowed({ genre: row.genre }) };
  const id = String(row.user_id);
  return {
    name: row.username,
    detail: "",
    changes: state().user ? { view: "people", other: id } : { user: id, users: "" },
  };
}

/**
 * A list of rows with a bar each.
 * @param {any[]} rows
 * @param {(row: any) => { part: number, figure: string, note?: string }} measure `part` is the bar's length, 0 to 1
 */
export function bars(rows, measure) {
  return h(
    "ol",
    { class: "bars" },
    ...rows.map((row, index) => {
      const { name, detail, changes } = subjectOfRow(row);
      const { part, figure, note } = measure(row);
      return h(
        "li",
        { "--part": part, "--place": index },
        h("span", { class: "rank" }, row.rank ?? index + 1, movement(row)),
        row.image_url ? picture(row.image_url) : h("span", { class: "picture letter" }, [...name][0] ?? ""),
        h(
          "a",
          { class: "what", href: address(changes), title: name },
          h("b", {}, name),
          detail ? h("small", {}, detail) : null,
        ),
        h("span", { class: "figure" }, figure, note ? h("small", {}, note) : null),
      );
    }),
  );
}

/** How far a row has come since the window before. @param {any} row */
function movement(row) {
  if (!("previous_rank" in row)) return null;
  if (row.previous_rank === null) return h("small", { class: "new" }, "●");
  const steps = row.previous_rank - row.rank;
  if (!steps) return h("small", {}, "=");
  return h("small", { class: steps > 0 ? "up" : "down" }, `${steps > 0 ? "▲" : "▼"}${Math.abs(steps)}`);
}

/** @param {State} now whether the window has one before it */
const hasPrevious = (now) => Boolean((now.range && now.range !== "all_time") || (now.from && now.to));

/**
 * @param {string} id @param {string} path @param {string} title
 * @param {(now: State) => boolean} [shows] @returns {View}
 */
function ranked(id, path, title, shows = () => true) {
  return {
    id,
    title,
    requests: (now) =>
      shows(now)
        ? [
            {
              path: insight(now, path),
              parameters: {
                ...question(now),
                limit: ROWS,
                ...(now.by ? { by: now.by } : {}),
                ...(hasPrevious(now) ? { compare: "previous" } : {}),
              },
            },
          ]
        : null,
    draw: ([rows], _holder, now) => {
      const measure = now.by === "listen_time" ? "listen_time_ms" : "count";
      const most = rows[0]?.[measure] || 1;
      return rows.length
        ? bars(rows, (row) => ({
            part: row[measure] / most,
            figure: measure === "count" ? count(row.count) : duration(row.listen_time_ms),
            note: percent(row.share),
          }))
        : null;
    },
    table: ([rows]) => ({
      columns: [
        words.columns.rank,
        words.columns.name,
        words.columns.artist,
        words.columns.listens,
        words.columns.time,
        words.columns.share,
      ],
      rows: rows.map((/** @type {any} */ row) => [
        row.rank,
        subjectOfRow(row).name,
        subjectOfRow(row).detail,
        row.count,
        duration(row.listen_time_ms),
        percent(row.share),
      ]),
    }),
  };
}

export const tracks = ranked("tracks", "top/tracks", words.panels.tracks, (now) => !now.track_id);
export const artists = ranked("artists", "top/artists", words.panels.artists);
export const genres = ranked("genres", "top/genres", words.panels.genres);

const topListeners = ranked("listeners", "top/listeners", words.panels.listeners);

// Also where a user is picked: a click on another compares the two.
export const listeners = {
  ...topListeners,
  requests: (/** @type {State} */ now) => topListeners.requests({ ...now, user: "" }),
};
