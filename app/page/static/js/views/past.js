// What was played: all of it, newest first, and what was played on this day in other years.

import { ask } from "../api.js";
import { count, day, moment } from "../format.js";
import { h, picture } from "../dom.js";
import { address, insight, narrowed, subjectOf, windowOf } from "../state.js";
import { words } from "../words.js";
import { bars } from "./lists.js";

/** @typedef {import("../state.js").State} State */

/** @param {any} item @param {string} zone */
function played(item, zone) {
  return h(
    "li",
    {},
    item.image_url ? picture(item.image_url) : null,
    h(
      "a",
      { class: "what", href: address(narrowed({ track_id: item.track_id })) },
      h("b", {}, item.track_name),
      h("small", {}, item.artist_name ?? ""),
    ),
    h("time", { class: "figure", datetime: item.played_at }, moment(item.played_at, zone)),
  );
}

/** @type {import("../panel.js").View} */
export const history = {
  id: "history",
  title: words.panels.history,
  size: "two-thirds",
  requests: (now) =>
    now.user ? [{ path: insight(now, "history"), parameters: { ...subjectOf(now), limit: 50 } }] : null,
  draw: ([answer], _holder, now) => {
    if (!answer.items.length) return null;
    const zone = windowOf(now).tz;
    const list = h("ol", { class: "played" }, ...answer.items.map((/** @type {any} */ item) => played(item, zone)));
    const end = h("p", { class: "hint" });
    let { next } = answer;
    const seen = new IntersectionObserver(async ([entry]) => {
      if (!entry.isIntersecting || !next) return;
      const path = next;
      next = null;
      const page = (await ask({ path })).data;
      list.append(...page.items.map((/** @type {any} */ item) => played(item, zone)));
      next = page.next;
      if (next) seen.observe(end);
      else seen.disconnect();
    });
    seen.observe(end);
    return h("div", {}, list, end);
  },
  table: ([answer], now) => ({
    columns: [words.columns.played, words.columns.name, words.columns.artist],
    rows: answer.items.map((/** @type {any} */ item) => [
      moment(item.played_at, windowOf(now).tz),
      item.track_name,
      item.artist_name ?? "",
    ]),
  }),
};

/** @type {import("../panel.js").View} */
export const onThisDay = {
  id: "on-this-day",
  title: words.panels.onThisDay,
  requests: (now) =>
    now.user ? [{ path: insight(now, "on-this-day"), parameters: { ...subjectOf(now), tz: windowOf(now).tz } }] : null,
  draw: ([answer]) =>
    answer.years.length
      ? h(
          "div",
          {},
          h("p", { class: "hint" }, day(answer.date, { day: "numeric", month: "long" })),
          ...answer.years.map((/** @type {any} */ year) => {
            const most = year.top_tracks[0]?.count || 1;
            const ago = Number(answer.date.slice(0, 4)) - year.year;
            return h(
              "section",
              { class: "year" },
              h("h3", {}, String(year.year), h("small", {}, `${words.years(ago)} · ${count(year.count)}`)),
              bars(year.top_tracks, (row) => ({ part: row.count / most, figure: count(row.count) })),
            );
          }),
        )
      : null,
  table: ([answer]) => ({
    columns: [words.columns.period, words.columns.listens],
    rows: answer.years.map((/** @type {any} */ year) => [String(year.year), year.count]),
  }),
};
