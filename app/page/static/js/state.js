// The state of the page is its address: whoever has the address sees the same.

/** @typedef {Record<string, string>} State */

const NAMES = [
  "view",
  "user",
  "users",
  "range",
  "from",
  "to",
  "tz",
  "by",
  "track_id",
  "artist_id",
  "genre",
  "other",
  "year",
];
const SUBJECT = ["track_id", "artist_id", "genre"];

/** The zone of the browser, as far as it tells one that has a name. */
export const browserZone = Intl.DateTimeFormat().resolvedOptions().timeZone || "UTC";

/** @type {Set<(state: State) => void>} */
const listeners = new Set();

/** @returns {State} the parameters in the address that mean something here */
export function state() {
  const given = new URLSearchParams(location.search);
  return Object.fromEntries(NAMES.filter((name) => given.get(name)).map((name) => [name, given.get(name) ?? ""]));
}

/**
 * The address of another state: an empty value takes a parameter out.
 * @param {State} changes
 */
export function address(changes) {
  const next = new URLSearchParams();
  const merged = { ...state(), ...changes };
  for (const name of NAMES) if (merged[name]) next.set(name, merged[name]);
  return next.size ? `?${next}` : location.pathname;
}

/**
 * Go to another state.
 * @param {State} changes
 */
export function go(changes) {
  history.pushState(null, "", address(changes));
  tell();
}

/** @param {(state: State) => void} listener called with each new state */
export function onChange(listener) {
  listeners.add(listener);
}

function tell() {
  for (const listener of listeners) listener(state());
}
addEventListener("popstate", tell);

/** @param {State} now @returns {State} the parameters of the window and the subject, as the API takes them */
export function question(now) {
  const asked = { ...windowOf(now), ...subjectOf(now) };
  return now.users ? { ...asked, users: now.users } : asked;
}

/** @param {State} now @returns {State} */
export function windowOf(now) {
  /** @type {State} */
  const asked = {};
  for (const name of ["range", "from", "to"]) if (now[name]) asked[name] = now[name];
  asked.tz = now.tz || browserZone;
  return asked;
}

/** @param {State} now @returns {State} */
export function subjectOf(now) {
  const name = SUBJECT.find((one) => now[one]);
  return name ? { [name]: now[name] } : {};
}

/** The changes that narrow everything to one thing, or to nothing. @param {State} subject @returns {State} */
export function narrowed(subject) {
  return { track_id: "", artist_id: "", genre: "", ...subject };
}

/**
 * The path of an insight about whoever is picked: a user, a group or everyone.
 * @param {State} now
 * @param {string} name such as `top/tracks`
 */
export function insight(now, name) {
  return now.user ? `insights/${name}/${now.user}` : `insights/global/${name}`;
}
