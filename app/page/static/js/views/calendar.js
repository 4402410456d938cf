// The days of a year as a calendar, and runs of days.

import { count, day, dayOf, duration, weekdays } from "../format.js";
import { h } from "../dom.js";
import { heat } from "../plots.js";
import { insight, question, windowOf } from "../state.js";
import { words } from "../words.js";

/** @typedef {import("../panel.js").View} View */

const WEEK = 7;

/** @type {View} */
export const days = {
  id: "days",
  title: words.panels.days,
  size: "full",
  requests: (now) => {
    if (!now.user) return null;
    const asked = question(now);
    const { tz, ...subject } = asked;
    const year = !asked.range && !asked.from && !asked.to ? { ...subject, tz, range: "365d" } : asked;
    return [
      { path: insight(now, "activity"), parameters: { ...year, bucket: "day" } },
      { path: insight(now, "streaks"), parameters: { ...asked, limit: 5 } },
    ];
  },
  draw: ([answer, streaks], holder, now) => {
    const zone = windowOf(now).tz;
    const cells = answer.buckets.slice(-53 * WEEK).map((/** @type {any} */ bucket) => calendarCell(bucket, zone));
    if (!cells.some((/** @type {any} */ cell) => cell.value)) return null;
    const short = weekdays();
    const chart = heat(holder.clientWidth, cells, {
      height: 150,
      marginLeft: 40,
      ariaLabel: words.panels.days,
      x: { label: null, tickSize: 0, axis: "top", tickFormat: monthOfWeek, type: "band" },
      y: {
        label: null,
        tickSize: 0,
        domain: [0, 1, 2, 3, 4, 5, 6],
        tickFormat: (/** @type {number} */ weekday) => (weekday % 2 ? "" : short[weekday]),
      },
    });
    const best = streaks.longest;
    return h(
      "div",
      {},
      h("div", { class: "wide" }, chart),
      h(
        "p",
        { class: "facts" },
        best
          ? h("span", { class: "fact" }, `${words.streakBest(best.days)} (${day(best.start)} – ${day(best.end)})`)
          : null,
        streaks.current ? h("span", { class: "fact" }, words.streakNow(streaks.current.days)) : null,
      ),
    );
  },
  table: ([, streaks]) => ({
    columns: [words.columns.start, words.columns.end, words.columns.days],
    rows: streaks.streaks.map((/** @type {any} */ run) => [day(run.start), day(run.end), run.days]),
  }),
};

/** @param {any} bucket @param {string} zone */
function calendarCell(bucket, zone) {
  const local = dayOf(bucket.start, zone);
  const at = new Date(`${local}T00:00:00Z`);
  const weekday = (at.getUTCDay() + 6) % WEEK;
  const monday = new Date(+at - weekday * 86_400_000).toISOString().slice(0, 10);
  return {
    x: monday,
    y: weekday,
    value: bucket.count,
    title: `${day(local, { dateStyle: "full" })}\n${count(bucket.count)} · ${duration(bucket.listen_time_ms)}`,
  };
}

/** The name of a month above its first week. @param {string} monday */
function monthOfWeek(monday) {
  return Number(monday.slice(8)) <= WEEK ? day(monday, { month: "short" }) : "";
}
