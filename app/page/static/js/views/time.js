// When: over time, by hour of the week, and in sessions.

import { count, date, duration, hour, moment, weekdays } from "../format.js";
import { h } from "../dom.js";
import { area, heat } from "../plots.js";
import { go, insight, question, windowOf } from "../state.js";
import { words } from "../words.js";

/** @typedef {import("../state.js").State} State */
/** @typedef {import("../panel.js").View} View */

/** @param {string} unit @returns {Intl.DateTimeFormatOptions} */
function shownBy(unit) {
  if (unit === "hour") return { dateStyle: "medium", timeStyle: "short" };
  if (unit === "month") return { month: "long", year: "numeric" };
  return unit === "year" ? { year: "numeric" } : { dateStyle: "full" };
}

/** @type {View} */
export const activity = {
  id: "activity",
  title: words.panels.activity,
  size: "two-thirds",
  requests: (now) => [{ path: insight(now, "activity"), parameters: question(now) }],
  draw: ([answer], holder, now) => {
    if (!answer.buckets.some((/** @type {any} */ bucket) => bucket.count)) return null;
    const byTime = now.by === "listen_time";
    const rows = answer.buckets.map((/** @type {any} */ bucket) => ({
      ...bucket,
      start: new Date(bucket.start),
      end: new Date(bucket.end),
      name: date(bucket.start, answer.window.tz, shownBy(answer.bucket)),
      value: byTime ? bucket.listen_time_ms / 3_600_000 : bucket.count,
    }));
    const chart = area(holder.clientWidth, rows, {
      label: words.panels.activity,
      tip: (row) => `${row.name}\n${count(row.count)} · ${duration(row.listen_time_ms)}`,
      choose: (start, end) =>
        go({
          range: "",
          from: start.toISOString().slice(0, 19) + "Z",
          to: end.toISOString().slice(0, 19) + "Z",
        }),
    });
    return h("div", {}, chart, h("p", { class: "hint" }, words.brush.hint));
  },
  table: ([answer]) => ({
    columns: [words.columns.start, words.columns.listens, words.columns.time],
    rows: answer.buckets.map((/** @type {any} */ bucket) => [
      moment(bucket.start, answer.window.tz),
      bucket.count,
      duration(bucket.listen_time_ms),
    ]),
  }),
};

/** @type {View} */
export const clock = {
  id: "clock",
  title: words.panels.clock,
  requests: (now) => [{ path: insight(now, "clock"), parameters: question(now) }],
  draw: ([answer], holder, now) => {
    const values = now.by === "listen_time" ? answer.listen_time_ms : answer.count;
    if (!values.flat().some(Boolean)) return null;
    const long = weekdays("long");
    const cells = values.flatMap((/** @type {number[]} */ row, /** @type {number} */ weekday) =>
      row.map((value, at) => ({
        x: at,
        y: weekday,
        value,
        title: `${long[weekday]}, ${hour(at)}\n${count(answer.count[weekday][at])} · ${duration(answer.listen_time_ms[weekday][at])}`,
      })),
    );
    const short = weekdays();
    return heat(holder.clientWidth, cells, {
      height: 240,
      marginLeft: 40,
      marginTop: 4,
      ariaLabel: words.panels.clock,
      x: { label: null, tickSize: 0, ticks: [0, 6, 12, 18, 23], tickFormat: hour },
      y: { label: null, tickSize: 0, tickFormat: (/** @type {number} */ weekday) => short[weekday] },
    });
  },
  table: ([answer]) => ({
    columns: [words.columns.day, words.columns.hour, words.columns.listens, words.columns.time],
    rows: answer.count.flatMap((/** @type {number[]} */ row, /** @type {number} */ weekday) =>
      row.map((value, at) => [
        weekdays("long")[weekday],
        hour(at),
        value,
        duration(answer.listen_time_ms[weekday][at]),
      ]),
    ),
  }),
};

/** @type {View} */
export const sessions = {
  id: "sessions",
  title: words.panels.sessions,
  size: "full",
  requests: (now) =>
    now.user ? [{ path: insight(now, "sessions"), parameters: { ...question(now), limit: 8 } }] : null,
  draw: ([answer], _holder, now) => {
    if (!answer.sessions) return null;
    const most = answer.longest[0].duration_ms || 1;
    const zone = windowOf(now).tz;
    return h(
      "div",
      {},
      h(
        "p",
        { class: "facts" },
        h("span", { class: "fact" }, count(answer.sessions)),
        h(
          "span",
          { class: "fact" },
          words.sessionMean(count(Math.round(answer.mean_listens)), duration(answer.mean_duration_ms)),
        ),
      ),
      h(
        "ol",
        { class: "bars plain" },
        ...answer.longest.map((/** @type {any} */ one) =>
          h(
            "li",
            { "--part": one.duration_ms / most },
            h("span", { class: "what" }, h("b", {}, moment(one.start, zone))),
            h("span", { class: "figure" }, duration(one.duration_ms), h("small", {}, count(one.listens))),
          ),
        ),
      ),
    );
  },
  table: ([answer], now) => ({
    columns: [words.columns.start, words.columns.end, words.columns.listens, words.columns.length],
    rows: answer.longest.map((/** @type {any} */ one) => [
      moment(one.start, windowOf(now).tz),
      moment(one.end, windowOf(now).tz),
      one.listens,
      duration(one.duration_ms),
    ]),
  }),
};
