// The numbers of a window, with their change from the window before.

import { compact, count, dayOf, duration } from "../format.js";
import { h } from "../dom.js";
import { insight, question } from "../state.js";
import { words } from "../words.js";

/** @typedef {import("../state.js").State} State */
/** @typedef {keyof typeof words.numbers} Name */

const MONTHS = { month: 1, quarter: 3, half_year: 6, year: 12 };

/**
 * The window before, as two days in the zone: the calendar period, or as many days.
 * @param {any} window as an answer has it
 * @returns {State | null} null at an open end
 */
export function windowBefore({ range, from, to, tz }) {
  if (!from || !to) return null;
  const end = dayOf(from, tz);
  const period = /** @type {keyof typeof MONTHS} */ (range.replace(/^(this|last)_/, ""));
  const first = new Date(`${end}T00:00:00Z`);
  if (period in MONTHS) first.setUTCMonth(first.getUTCMonth() - MONTHS[period]);
  else if (range === "custom") return { from: new Date(2 * +new Date(from) - +new Date(to)).toISOString(), to: from };
  else first.setUTCDate(first.getUTCDate() - Math.max(1, Math.round((+new Date(to) - +new Date(from)) / 86_400_000)));
  return { from: dayOf(first, "UTC"), to: end };
}

/** @param {any} answer @returns {Name[]} */
const shown = (answer) => /** @type {Name[]} */ (Object.keys(words.numbers)).filter((name) => name in answer);

/** A number in full. @param {Name} name @param {number} value */
const full = (name, value) => (name === "listen_time_ms" ? duration(value) : count(value));

/** A number as it is read from afar. @param {Name} name @param {number} value */
const short = (name, value) =>
  name === "listen_time_ms" ? duration(value, 1) : value < 100_000 ? count(value) : compact(value);

/** @param {number} value @param {number} before */
function change(value, before) {
  if (!before) return null;
  const part = value / before - 1;
  const text = new Intl.NumberFormat(undefined, {
    style: "percent",
    maximumFractionDigits: 0,
    signDisplay: "exceptZero",
  }).format(part);
  return h("small", { class: part >= 0 ? "up" : "down", title: words.before(text) }, text);
}

/** @type {import("../panel.js").View} */
export const summary = {
  id: "summary",
  title: words.panels.summary,
  size: "full",
  requests: (now) => [{ path: insight(now, "summary"), parameters: question(now) }],
  then: (answer, now) => {
    const before = windowBefore(answer.window);
    const { range: _range, ...asked } = question(now);
    return before && { path: insight(now, "summary"), parameters: { ...asked, ...before } };
  },
  draw: ([answer, before]) =>
    h(
      "dl",
      { class: "numbers" },
      ...shown(answer).map((name) =>
        h(
          "div",
          {},
          h("dt", {}, words.numbers[name]),
          h(
            "dd",
            { title: full(name, answer[name]) },
            short(name, answer[name]),
            before ? change(answer[name], before[name]) : null,
          ),
        ),
      ),
    ),
  table: ([answer]) => ({
    columns: [words.columns.name, words.columns.value],
    rows: shown(answer).map((name) => [words.numbers[name], full(name, answer[name])]),
  }),
};
