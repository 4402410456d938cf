// Whom, when and what: the pickers at the head of the page.

import { ask } from "./api.js";
import { h } from "./dom.js";
import { dayOf } from "./format.js";
import { address, browserZone, go, narrowed, subjectOf, windowOf } from "./state.js";
import { words } from "./words.js";

/** @typedef {import("./state.js").State} State */

/** @type {Map<string, string>} names of listeners by id, of those who listen most */
const names = new Map();

/** Learn the names of those who can be picked. */
export async function learnNames() {
  const { data } = await ask({ path: "insights/global/top/listeners", parameters: { limit: 100 } });
  for (const { user_id, username } of data) names.set(String(user_id), username);
}

/** @param {string} id @param {string} name */
export function learnName(id, name) {
  names.set(id, name);
}

/** @param {string} id */
export const nameOf = (id) => names.get(id) ?? words.user(id);

/** @param {State} now */
export function whose(now) {
  if (now.user) return nameOf(now.user);
  return now.users ? words.group(now.users.split(",").length) : words.everyone;
}

/** What was typed as users: ids, or names that are known. @param {string} text @returns {State} */
function picked(text) {
  const ids = text
    .split(",")
    .map((part) => {
      const typed = part.trim();
      return [...names].find(([id, name]) => typed === id || typed.toLowerCase() === name.toLowerCase())?.[0] ?? typed;
    })
    .filter((id) => /^[0-9]+$/.test(id));
  return { user: ids.length === 1 ? ids[0] : "", users: ids.length > 1 ? ids.join(",") : "" };
}

/** @param {string} id @param {string} label @param {string} value @param {string} hint @param {(text: string) => State} read */
function people(id, label, value, hint, read) {
  const input = /** @type {HTMLInputElement} */ (
    h("input", { id, list: "listeners", value, placeholder: hint, autocomplete: "off" })
  );
  input.addEventListener("change", () => go(read(input.value)));
  return h("label", { class: "field", for: id }, h("span", {}, label), input);
}

/** @param {string} id @param {string} label @param {State} now @param {"from" | "to"} name */
function bound(id, label, now, name) {
  const zone = windowOf(now).tz;
  const value = now[name] ? (now[name].includes("T") ? dayOf(now[name], zone) : now[name]) : "";
  const input = /** @type {HTMLInputElement} */ (
    h("input", { id, type: "date", value, min: "1970-01-01", max: "2100-12-31" })
  );
  input.addEventListener("change", () => go({ range: "", [name]: input.value }));
  return h("label", { class: "field", for: id }, h("span", {}, label), input);
}

/** @param {State} now */
function zones(now) {
  const current = windowOf(now).tz;
  const all = [...new Set(["UTC", browserZone, current, ...Intl.supportedValuesOf("timeZone")])];
  const select = /** @type {HTMLSelectElement} */ (
    h(
      "select",
      { id: "zone" },
      ...all.map((name) => h("option", { value: name, selected: name === current }, name.replaceAll("_", " "))),
    )
  );
  select.addEventListener("change", () => go({ tz: select.value }));
  return h("label", { class: "field", for: "zone" }, h("span", {}, words.controls.zone), select);
}

/** @param {State} now */
function ranges(now) {
  const current = now.from || now.to ? "" : now.range || "all_time";
  return h(
    "nav",
    { class: "ranges", "aria-label": words.controls.when },
    ...Object.entries(words.ranges).map(([name, label]) =>
      h(
        "a",
        {
          href: address({ range: name === "all_time" ? "" : name, from: "", to: "" }),
          "aria-current": name === current ? "true" : null,
        },
        label,
      ),
    ),
  );
}

/** @param {State} now */
function measures(now) {
  const current = now.by || "count";
  return h(
    "nav",
    { class: "ranges", "aria-label": words.controls.measure },
    ...[
      ["count", words.controls.count],
      ["listen_time", words.controls.time],
    ].map(([by, label]) =>
      h(
        "a",
        { href: address({ by: by === "count" ? "" : by }), "aria-current": by === current ? "true" : null },
        label,
      ),
    ),
  );
}

/** @param {State} now */
function subject(now) {
  const [[name, value] = ["", ""]] = Object.entries(subjectOf(now));
  if (!name) return null;
  const label = words.subject[/** @type {keyof typeof words.subject} */ (name)];
  return h(
    "p",
    { class: "subject" },
    `${words.controls.only} `,
    h("b", {}, name === "genre" ? value : label),
    h("a", { href: address(narrowed({})), class: "clear" }, `✕ ${words.controls.clear}`),
  );
}

/** @param {State} now */
export function controls(now) {
  const typed = now.user ? nameOf(now.user) : now.users ? now.users : "";
  return [
    h("datalist", { id: "listeners" }, ...[...names].map(([id, name]) => h("option", { value: name }, id))),
    h(
      "div",
      { class: "fields" },
      people("whom", words.controls.whom, typed, words.everyone, picked),
      now.view === "people" && now.user
        ? people("other", words.compareWith, now.other ? nameOf(now.other) : "", words.controls.whomHint, (text) => ({
            other: picked(text).user,
          }))
        : null,
      bound("from", words.controls.from, now, "from"),
      bound("to", words.controls.to, now, "to"),
      zones(now),
    ),
    h("div", { class: "pickers" }, ranges(now), measures(now)),
    subject(now),
  ].filter((node) => node !== null);
}
