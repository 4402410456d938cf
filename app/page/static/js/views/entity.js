// The page of a track or an artist: shown above everything that is narrowed to it.

import { compact, count, date, duration, length } from "../format.js";
import { h, picture } from "../dom.js";
import { line } from "../plots.js";
import { address, narrowed, windowOf } from "../state.js";
import { words } from "../words.js";
import { bars } from "./lists.js";

/** @param {any} artist @returns {HTMLElement} */
const artistLink = (artist) => h("a", { href: address(narrowed({ artist_id: artist.artist_id })) }, artist.artist_name);

/** @param {any} answer */
function about({ track, artist }) {
  if (track)
    return h(
      "p",
      {},
      ...track.artists.flatMap((/** @type {any} */ one, /** @type {number} */ place) => [
        place ? ", " : "",
        artistLink(one),
      ]),
      ` · ${length(track.duration_ms)}`,
    );
  return h(
    "p",
    { class: "tags" },
    ...artist.genres.map((/** @type {string} */ genre) =>
      h("a", { class: "tag", href: address(narrowed({ genre })) }, genre),
    ),
  );
}

/** @type {import("../panel.js").View} */
export const entity = {
  id: "entity",
  title: words.panels.entity,
  size: "full",
  requests: (now) => {
    const path = now.track_id
      ? `insights/tracks/${encodeURIComponent(now.track_id)}`
      : now.artist_id
        ? `insights/artists/${encodeURIComponent(now.artist_id)}`
        : null;
    const users = now.user || now.users;
    return path ? [{ path, parameters: { ...windowOf(now), limit: 5, ...(users ? { users } : {}) } }] : null;
  },
  draw: ([answer], holder, now) => {
    const it = answer.track ?? answer.artist;
    const name = it.track_name ?? it.artist_name;
    const measured = answer.popularity.map((/** @type {any} */ one) => ({
      at: new Date(one.date),
      value: one.popularity,
    }));
    const followers = answer.followers?.at(-1)?.followers;
    const zone = windowOf(now).tz;
    const columns = holder.clientWidth > 900;
    return h(
      "div",
      { class: "entity" },
      picture(it.image_url, "cover large"),
      h(
        "div",
        { class: "about" },
        h("small", { class: "kind" }, answer.track ? words.kinds.track : words.kinds.artist),
        h("h3", {}, name),
        about(answer),
        h(
          "dl",
          { class: "numbers small" },
          ...[
            [words.columns.rank, answer.rank === null ? "–" : `#${count(answer.rank)}`],
            [words.numbers.listens, count(answer.listens)],
            [words.numbers.listen_time_ms, duration(answer.listen_time_ms)],
            [words.columns.first, answer.first_listened_at ? date(answer.first_listened_at, zone) : "–"],
            ...(followers ? [[words.panels.followers, compact(followers)]] : []),
          ].map(([term, value]) => h("div", {}, h("dt", {}, term), h("dd", {}, value))),
        ),
      ),
      measured.length > 1
        ? h(
            "div",
            { class: "measured" },
            h("h4", {}, words.panels.popularity),
            line(columns ? holder.clientWidth / 3 : holder.clientWidth, measured, words.panels.popularity),
          )
        : null,
      answer.top_tracks?.length
        ? h(
            "div",
            { class: "measured" },
            h("h4", {}, words.panels.tracks),
            bars(answer.top_tracks, (row) => ({
              part: row.count / answer.top_tracks[0].count,
              figure: count(row.count),
            })),
          )
        : null,
    );
  },
  table: ([answer]) => ({
    columns: [words.columns.day, words.panels.popularity],
    rows: answer.popularity.map((/** @type {any} */ one) => [date(one.date, "UTC"), one.popularity]),
  }),
};
