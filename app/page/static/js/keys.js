// Asking for a key, where the service wants one.

import { keepKey } from "./api.js";
import { h } from "./dom.js";
import { words } from "./words.js";

/**
 * Show the question; `given` is called once there is an answer.
 * @param {string} problem what the service said
 * @param {() => void} given
 */
export function askForKey(problem, given) {
  if (document.querySelector("dialog[open]")) return;
  const input = /** @type {HTMLInputElement} */ (
    h("input", { type: "password", id: "key", autocomplete: "off", required: true })
  );
  const form = h(
    "form",
    { method: "dialog" },
    h("h2", {}, words.key.title),
    h("p", { class: "hint" }, problem),
    h("label", { class: "field", for: "key" }, h("span", {}, words.key.label), input),
    h("p", { class: "hint" }, words.key.hint),
    h("button", { class: "button", type: "submit" }, words.key.send),
  );
  const dialog = /** @type {HTMLDialogElement} */ (h("dialog", {}, form));
  dialog.addEventListener("close", () => {
    if (input.value) keepKey(input.value.trim());
    dialog.remove();
    if (input.value) given();
  });
  document.body.append(dialog);
  dialog.showModal();
}
