// Numbers, lengths of time and dates, as the browser's language writes them.

const number = new Intl.NumberFormat();
const compactNumber = new Intl.NumberFormat(undefined, { notation: "compact", maximumFractionDigits: 1 });
const percentage = new Intl.NumberFormat(undefined, { style: "percent", maximumFractionDigits: 1 });
const smallPercentage = new Intl.NumberFormat(undefined, { style: "percent", maximumSignificantDigits: 2 });

/** @param {number} value */
export const count = (value) => number.format(value);
/** @param {number} value */
export const compact = (value) => compactNumber.format(value);
/** @param {number} value from 0 to 1 */
export const percent = (value) => (Math.abs(value) < 0.01 ? smallPercentage : percentage).format(value);

/** @param {number} value @param {string} unit */
function inUnit(value, unit) {
  return new Intl.NumberFormat(undefined, {
    style: "unit",
    unit,
    unitDisplay: "short",
    maximumFractionDigits: 0,
  }).format(value);
}

/** A length of time in its largest units: two, unless told otherwise. @param {number} milliseconds @param {number} [most] */
export function duration(milliseconds, most = 2) {
  const units = /** @type {[string, number][]} */ ([
    ["day", 86_400_000],
    ["hour", 3_600_000],
    ["minute", 60_000],
    ["second", 1000],
  ]);
  const first = units.findIndex(([, size]) => milliseconds >= size);
  if (first < 0) return inUnit(0, "minute");
  const parts = [];
  let left = milliseconds;
  for (const [unit, size] of units.slice(first, first + most)) {
    const whole = Math.floor(left / size);
    left -= whole * size;
    if (whole) parts.push(inUnit(whole, unit));
  }
  return parts.join(" ");
}

/** The length of a track, `3:05`. @param {number} milliseconds */
export function length(milliseconds) {
  const seconds = Math.round(milliseconds / 1000);
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
}

/** @param {string | Date} instant @param {string} timeZone @param {Intl.DateTimeFormatOptions} [options] */
export function date(instant, timeZone, options = { dateStyle: "medium" }) {
  return new Intl.DateTimeFormat(undefined, { timeZone, ...options }).format(new Date(instant));
}

/** @param {string | Date} instant @param {string} timeZone */
export const moment = (instant, timeZone) => date(instant, timeZone, { dateStyle: "medium", timeStyle: "short" });

/** A calendar day, which has no zone. @param {string} day @param {Intl.DateTimeFormatOptions} [options] */
export const day = (day, options) => date(`${day}T00:00:00Z`, "UTC", options);

/** The calendar day of an instant in a zone, `2026-01-31`. @param {string | Date} instant @param {string} timeZone */
export const dayOf = (instant, timeZone) => new Intl.DateTimeFormat("en-CA", { timeZone }).format(new Date(instant));

/** The days of the week, Monday first. @param {"short" | "long"} [weekday] */
export function weekdays(weekday = "short") {
  return Array.from({ length: 7 }, (_, index) => day(`2024-01-0${index + 1}`, { weekday }));
}

/** An hour of the day, 0 to 23. @param {number} hour */
export const hour = (hour) => date(new Date(Date.UTC(2024, 0, 1, hour)), "UTC", { hour: "numeric" });

/** A month, 1 to 12. @param {number} month */
export const month = (month) => date(new Date(Date.UTC(2024, month - 1, 1)), "UTC", { month: "short" });
