// People side by side: two compared, who is like one, and what a group shares.

import { count, percent } from "../format.js";
import { h, picture } from "../dom.js";
import { nameOf } from "../controls.js";
import { address, insight, question, windowOf } from "../state.js";
import { words } from "../words.js";
import { bars, subjectOfRow } from "./lists.js";

/** @typedef {import("../state.js").State} State */

/** @param {any} row @param {number} most */
function pair(row, most) {
  const { name, detail, changes } = subjectOfRow(row);
  const [mine, theirs] = row.counts;
  return h(
    "li",
    {},
    h("span", { class: "side left", "--part": mine / most }, count(mine)),
    h(
      "a",
      { class: "what", href: address(changes) },
      row.image_url ? picture(row.image_url) : null,
      h("span", {}, h("b", {}, name), detail ? h("small", {}, detail) : null),
    ),
    h("span", { class: "side right", "--part": theirs / most }, count(theirs)),
  );
}

/** @param {string} title @param {any[]} rows */
function shared(title, rows) {
  const most = Math.max(1, ...rows.flatMap((row) => row.counts));
  return h(
    "section",
    {},
    h("h3", {}, title),
    rows.length
      ? h("ol", { class: "pairs" }, ...rows.map((row) => pair(row, most)))
      : h("p", { class: "empty" }, words.empty),
  );
}

/** @type {import("../panel.js").View} */
export const compare = {
  id: "compare",
  title: words.panels.compare,
  size: "full",
  requests: (now) =>
    now.user && now.other
      ? [{ path: `${insight(now, "compare")}/${now.other}`, parameters: { ...question(now), limit: 10 } }]
      : null,
  draw: ([answer]) =>
    h(
      "div",
      {},
      h("p", { class: "alike", "--part": answer.similarity }, h("b", {}, words.alike(percent(answer.similarity)))),
      h("p", { class: "legend" }, ...answer.users.map((/** @type {number} */ id) => h("span", {}, nameOf(String(id))))),
      h(
        "div",
        { class: "columns" },
        shared(words.panels.sharedArtists, answer.shared_primary_artists),
        shared(words.panels.sharedTracks, answer.shared_tracks),
      ),
    ),
  table: ([answer]) => ({
    columns: [words.columns.name, ...answer.users.map((/** @type {number} */ id) => words.user(String(id)))],
    rows: [...answer.shared_primary_artists, ...answer.shared_tracks].map((row) => [
      subjectOfRow(row).name,
      ...row.counts,
    ]),
  }),
};

// A click on one compares the two.
/** @type {import("../panel.js").View} */
export const similar = {
  id: "similar",
  title: words.panels.similar,
  size: "two-thirds",
  requests: (now) => (now.user ? [{ path: insight(now, "similar"), parameters: { limit: 12 } }] : null),
  draw: ([rows]) =>
    rows.length
      ? bars(rows, (row) => ({
          part: row.similarity,
          figure: percent(row.similarity),
          note: words.inCommon(count(row.distinct_shared_primary_artists)),
        }))
      : null,
  table: ([rows]) => ({
    columns: [words.columns.rank, words.columns.name, words.columns.similarity, words.columns.shared],
    rows: rows.map((/** @type {any} */ row) => [
      row.rank,
      row.username,
      percent(row.similarity),
      row.distinct_shared_primary_artists,
    ]),
  }),
};

// What each of a group of up to 20 plays. A part is the least of their shares.
/** @param {"artists" | "tracks" | "genres"} kind @param {string} title @returns {import("../panel.js").View} */
function blend(kind, title) {
  const users = (/** @type {State} */ now) => [...new Set((now.users ?? "").split(",").filter(Boolean))];
  return {
    id: `blend-${kind}`,
    title,
    requests: (now) =>
      users(now).length >= 2 && users(now).length <= 20
        ? [
            {
              path: `insights/global/blend/${kind}`,
              parameters: { ...windowOf(now), users: users(now).join(","), limit: 10 },
            },
          ]
        : null,
    draw: ([rows], _holder, now) => {
      if (!rows.length) return null;
      const areFew = users(now).length <= 4;
      const list = bars(rows, (row) => ({
        part: row.score / rows[0].score,
        figure: percent(row.score),
        note: areFew ? row.counts.map(count).join(" · ") : "",
      }));
      const names = users(now).map(nameOf).join(" · ");
      return h("div", {}, list, h("p", { class: "hint" }, areFew ? words.blend(names) : words.blendOfMany));
    },
    table: ([rows], now) => ({
      columns: [words.columns.rank, words.columns.name, words.columns.share, ...users(now).map(nameOf)],
      rows: rows.map((/** @type {any} */ row) => [row.rank, subjectOfRow(row).name, percent(row.score), ...row.counts]),
    }),
  };
}

export const blendArtists = blend("artists", words.panels.sharedArtists);
export const blendTracks = blend("tracks", words.panels.sharedTracks);
export const blendGenres = blend("genres", words.panels.sharedGenres);
