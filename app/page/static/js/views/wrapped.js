// A year, or the window that is chosen, as a story of cards.

import { count, date, day, duration, hour, month, percent } from "../format.js";
import { h, picture } from "../dom.js";
import { address, insight, narrowed, question, subjectOf, windowOf } from "../state.js";
import { words } from "../words.js";
import { bars } from "./lists.js";

/** @typedef {import("../state.js").State} State */

const say = words.wrapped;

/** @param {State} now */
const yearOf = (now) => now.year || String(new Date().getFullYear());

/** @param {State} now whether a window is chosen: without one it is a year */
const hasWindow = (now) => Boolean(now.range || now.from || now.to);

/** @param {string} kind @param {string} title @param {...(Node | string | null)} content */
const card = (kind, title, ...content) => h("article", { class: `card ${kind}` }, h("h3", {}, title), ...content);

/** @param {string} big @param {string | null} [small] */
const figure = (big, small) => h("p", { class: "big" }, big, small ? h("small", {}, small) : null);

/** @param {string} kind @param {string} title @param {any} row @param {string} name @param {State} changes */
function head(kind, title, row, name, changes) {
  const detail = [row.track_id ? row.artist_name : null, say.listens(count(row.count))].filter(Boolean).join(" · ");
  const text = h("p", { class: "big" }, h("a", { href: address(changes) }, name), h("small", {}, detail));
  return card(kind, title, h("div", { class: "hero-row" }, picture(row.image_url, "cover"), text));
}

/** @param {any[]} months */
function monthBars(months) {
  const most = Math.max(1, ...months.map((one) => one.count));
  return h(
    "div",
    { class: "month-bars" },
    ...months.map((one) =>
      h(
        "span",
        { "--part": one.count / most, title: `${month(one.month)}: ${count(one.count)}` },
        h("i"),
        h("small", {}, month(one.month).slice(0, 1)),
      ),
    ),
  );
}

/** @param {string} title @param {any[]} rows */
const list = (title, rows) =>
  rows.length
    ? card(
        "list",
        title,
        bars(rows, (row) => ({ part: row.count / rows[0].count, figure: count(row.count) })),
      )
    : null;

/** @param {any} answer of wrapped or of a review @param {string} title */
function story(answer, title) {
  const [track, artist, genre] = [answer.top_tracks[0], answer.top_primary_artists[0], answer.top_genres[0]];
  const { percentile, top_day: best, busiest_hour: busiest, longest_streak: streak } = answer;
  return h(
    "div",
    { class: "story" },
    card(
      "first",
      title,
      figure(duration(answer.listen_time_ms), say.minutes),
      figure(say.listens(count(answer.listens)), percentile === null ? null : say.percentile(percent(percentile))),
    ),
    head("track", say.track, track, track.track_name, narrowed({ track_id: track.track_id })),
    artist ? head("artist", say.artist, artist, artist.artist_name, narrowed({ artist_id: artist.artist_id })) : null,
    answer.months ? card("months", say.months, monthBars(answer.months)) : null,
    list(words.panels.tracks, answer.top_tracks),
    list(words.panels.artists, answer.top_primary_artists),
    genre ? card("genre", say.genre, figure(genre.genre, percent(genre.share))) : null,
    card("day", say.day, figure(day(best.date, { day: "numeric", month: "long" }), say.listens(count(best.count)))),
    card("hour", say.hour, figure(hour(busiest), streak ? say.streak(count(streak.days)) : null)),
    card("fresh", say.new, figure(say.fresh(count(answer.new_tracks), count(answer.new_primary_artists)))),
  );
}

/** @param {State} now */
function years(now) {
  const current = Number(yearOf(now));
  return h(
    "nav",
    { class: "years", "aria-label": words.views.wrapped },
    ...[current - 1, current, current + 1]
      .filter((year) => year <= new Date().getFullYear())
      .map((year) =>
        h(
          "a",
          { href: address({ year: String(year) }), "aria-current": year === current ? "page" : null },
          String(year),
        ),
      ),
  );
}

/** @param {any} window @returns {string} its days */
const spanOf = ({ from, to, tz }) =>
  [from && date(from, tz), to && date(new Date(+new Date(to) - 1), tz)].filter(Boolean).join(" – ");

/** @type {import("../panel.js").View} */
export const wrapped = {
  id: "wrapped",
  title: words.views.wrapped,
  size: "full",
  requests: (now) => {
    if (!now.user) return null;
    if (hasWindow(now)) return [{ path: insight(now, "review"), parameters: question(now) }];
    const parameters = { ...subjectOf(now), tz: windowOf(now).tz };
    return [{ path: `${insight(now, "wrapped")}/${yearOf(now)}`, parameters }];
  },
  draw: ([answer], _holder, now) =>
    h(
      "div",
      {},
      answer.window ? null : years(now),
      answer.listens
        ? story(answer, answer.window ? spanOf(answer.window) : say.year(yearOf(now)))
        : h("p", { class: "empty" }, words.empty),
    ),
  table: ([answer]) => ({
    columns: [words.columns.period, words.columns.listens, words.columns.time],
    rows: (answer.months ?? []).map((/** @type {any} */ one) => [
      month(one.month),
      one.count,
      duration(one.listen_time_ms),
    ]),
  }),
};
