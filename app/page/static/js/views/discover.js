// What was new, what is forgotten, and what to listen to next.

import { count, moment } from "../format.js";
import { insight, question, windowOf } from "../state.js";
import { words } from "../words.js";
import { bars, subjectOfRow } from "./lists.js";

/** @typedef {import("../state.js").State} State */
/** @typedef {import("../panel.js").View} View */

const ROWS = 12;

/**
 * Lists that tell when something was heard: first, or last.
 * @param {string} id @param {string} path @param {string} title
 * @param {"first_listened_at" | "last_listened_at"} instant @param {string} column
 * @param {(now: State) => boolean} [shows] @returns {View}
 */
function dated(id, path, title, instant, column, shows = () => true) {
  return {
    id,
    title,
    size: "half",
    requests: (now) =>
      shows(now) ? [{ path: insight(now, path), parameters: { ...question(now), limit: ROWS } }] : null,
    draw: ([rows], _holder, now) => {
      const most = Math.max(1, ...rows.map((/** @type {any} */ row) => row.count));
      const zone = windowOf(now).tz;
      return rows.length
        ? bars(rows, (row) => ({
            part: row.count / most,
            figure: count(row.count),
            note: moment(row[instant], zone),
          }))
        : null;
    },
    table: ([rows], now) => ({
      columns: [words.columns.name, words.columns.artist, column, words.columns.listens],
      rows: rows.map((/** @type {any} */ row) => [
        subjectOfRow(row).name,
        subjectOfRow(row).detail,
        moment(row[instant], windowOf(now).tz),
        row.count,
      ]),
    }),
  };
}

const [FIRST, LAST] = /** @type {const} */ (["first_listened_at", "last_listened_at"]);
export const newTracks = dated("new-tracks", "discoveries/tracks", words.panels.newTracks, FIRST, words.columns.first);
export const newArtists = dated(
  "new-artists",
  "discoveries/artists",
  words.panels.newArtists,
  FIRST,
  words.columns.first,
);

const ofUser = (/** @type {State} */ now) => Boolean(now.user);
export const forgottenTracks = dated(
  "forgotten-tracks",
  "forgotten/tracks",
  words.panels.forgottenTracks,
  LAST,
  words.columns.last,
  ofUser,
);
export const forgottenArtists = dated(
  "forgotten-artists",
  "forgotten/artists",
  words.panels.forgottenArtists,
  LAST,
  words.columns.last,
  ofUser,
);

/** @param {string} id @param {string} path @param {string} title @returns {View} */
function recommended(id, path, title) {
  return {
    id,
    title,
    size: "half",
    requests: (now) => (now.user ? [{ path: insight(now, path), parameters: { limit: ROWS } }] : null),
    draw: ([rows]) =>
      rows.length
        ? bars(rows, (row) => ({ part: row.score / rows[0].score, figure: count(row.listeners), note: words.likeYou }))
        : null,
    table: ([rows]) => ({
      columns: [words.columns.rank, words.columns.name, words.columns.artist, words.columns.score],
      rows: rows.map((/** @type {any} */ row) => [
        row.rank,
        subjectOfRow(row).name,
        subjectOfRow(row).detail,
        row.score,
      ]),
    }),
  };
}

export const nextTracks = recommended("next-tracks", "recommendations/tracks", words.panels.nextTracks);
export const nextArtists = recommended("next-artists", "recommendations/artists", words.panels.nextArtists);
