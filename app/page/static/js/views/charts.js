// Charts: who leads in each week, month, quarter or year, and how the places change.

import { count, date } from "../format.js";
import { h } from "../dom.js";
import { bump } from "../bump.js";
import { insight, question } from "../state.js";
import { words } from "../words.js";
import { subjectOfRow } from "./lists.js";

/** @typedef {import("../panel.js").View} View */

const ROWS = 6;

/** @param {any} row */
const idOf = (row) => row.track_id ?? row.artist_id ?? row.genre;

/** @param {string} instant @param {any} answer */
function period(instant, answer) {
  /** @type {Record<string, Intl.DateTimeFormatOptions>} */
  const shown = { week: { dateStyle: "medium" }, year: { year: "numeric" } };
  return date(instant, answer.window.tz, shown[answer.bucket] ?? { month: "short", year: "numeric" });
}

/** What led in most buckets, and in how many. @param {any[]} buckets */
function leader(buckets) {
  /** @type {Map<string, { name: string, times: number }>} */
  const led = new Map();
  for (const row of buckets.flatMap((bucket) => bucket.rows.filter((/** @type {any} */ row) => row.rank === 1))) {
    const { name } = subjectOfRow(row);
    led.set(idOf(row), { name, times: (led.get(idOf(row))?.times ?? 0) + 1 });
  }
  return [...led.values()].sort((one, other) => other.times - one.times)[0];
}

/** @param {string} kind @param {string} title @returns {View} */
function charts(kind, title) {
  return {
    id: `charts-${kind}`,
    title,
    size: "full",
    requests: (now) =>
      now.user
        ? [
            {
              path: insight(now, `charts/${kind}`),
              parameters: { ...question(now), ...(now.by ? { by: now.by } : {}), limit: ROWS },
            },
          ]
        : null,
    draw: ([answer], holder) => {
      const rows = answer.buckets.toReversed().flatMap((/** @type {any} */ bucket) =>
        bucket.rows.map((/** @type {any} */ row, /** @type {number} */ index) => {
          const { name } = subjectOfRow(row);
          const title = `${row.rank}. ${name}\n${period(bucket.start, answer)}: ${count(row.count)}`;
          return { at: new Date(bucket.start), id: idOf(row), name, place: index + 1, title };
        }),
      );
      if (!rows.length) return null;
      const best = leader(answer.buckets);
      return h(
        "div",
        {},
        h("p", { class: "facts" }, h("span", { class: "fact" }, words.led(best.name, best.times))),
        bump(holder.clientWidth, rows, { most: ROWS, label: title }),
      );
    },
    table: ([answer]) => ({
      columns: [
        words.columns.period,
        words.columns.rank,
        words.columns.previous,
        words.columns.name,
        words.columns.listens,
      ],
      rows: answer.buckets.flatMap((/** @type {any} */ bucket) =>
        bucket.rows.map((/** @type {any} */ row) => [
          period(bucket.start, answer),
          row.rank,
          row.previous_rank ?? "–",
          subjectOfRow(row).name,
          row.count,
        ]),
      ),
    }),
  };
}

export const chartsOfArtists = charts("artists", words.panels.artists);
export const chartsOfTracks = charts("tracks", words.panels.tracks);
export const chartsOfGenres = charts("genres", words.panels.genres);
