// Files on their way to the service, and what became of them.

import { keyHeaders } from "./api.js";
import { learnName } from "./controls.js";
import { h } from "./dom.js";
import { count } from "./format.js";
import { browserZone, go, narrowed } from "./state.js";
import { words } from "./words.js";

/**
 * A line of the answer: of a file that was loaded, is broken or of no known format; and at the end, of the new listener.
 * @typedef {object} Line
 * @property {string} [file]
 * @property {number} [added]
 * @property {number} [there] listens that came with another of the files
 * @property {number} [cut] names
 * @property {Record<string, number>} [passed] by reason
 * @property {string} [error]
 * @property {string} [unknown]
 * @property {number | null} [user_id]
 *
 * @typedef {{ dialog: HTMLDialogElement, status: HTMLElement, body: HTMLElement }} Shown
 */

/**
 * Send files, and show how far it is and then what became of them.
 * @param {string} token the page's
 * @param {{ path: string, file: File }[]} files
 * @param {string} name of the new listener
 * @param {Shown} shown
 */
export function upload(token, files, name, shown) {
  const form = new FormData();
  form.append("name", name);
  form.append("tz", browserZone);
  for (const { path, file } of files) form.append("files", file, path);
  const bar = /** @type {HTMLProgressElement} */ (h("progress", { max: 1, value: 0, "aria-label": words.own.sending }));
  shown.body.replaceChildren(bar, closing(words.own.stop, shown));
  shown.status.textContent = words.own.sending;
  shown.dialog.dataset.busy = "";

  const request = new XMLHttpRequest(); // fetch does not tell how much of a body is sent
  request.open("POST", "own");
  for (const [header, value] of Object.entries({ "X-Upload-Token": token, ...keyHeaders() }))
    request.setRequestHeader(header, value);
  request.upload.addEventListener("progress", ({ loaded, total }) => (bar.value = loaded / total));
  request.upload.addEventListener("load", () => {
    bar.removeAttribute("value");
    bar.setAttribute("aria-label", words.own.reading);
    shown.status.textContent = words.own.reading;
  });
  request.addEventListener("progress", () => {
    const done = request.responseText.split("\n").length - 1;
    if (done && request.status === 200) shown.status.textContent = words.own.read(done);
  });
  request.addEventListener("loadend", () => {
    delete shown.dialog.dataset.busy;
    const lines = request.status === 200 ? linesOf(request.responseText) : [];
    const last = lines.at(-1);
    if (last && "user_id" in last) result(lines, last.user_id ?? null, name, shown);
    else failed(request, shown);
  });
  request.send(form);
  return request;
}

/** The lines that have come as a whole. @param {string} text @returns {Line[]} */
function linesOf(text) {
  return text
    .split("\n")
    .slice(0, -1)
    .map((line) => JSON.parse(line));
}

/** @param {string} label @param {Shown} shown */
function closing(label, { dialog }) {
  return h(
    "div",
    { class: "row" },
    h("button", { class: "button", type: "button", onclick: () => dialog.close() }, label),
  );
}

/** @param {XMLHttpRequest} request @param {Shown} shown */
function failed(request, shown) {
  let said = words.own.broken;
  try {
    said = JSON.parse(request.responseText).error ?? said;
  } catch {
    // Not a problem's text: the connection broke, or something else has answered.
  }
  shown.status.textContent = "";
  shown.body.replaceChildren(h("p", { class: "failed", role: "alert" }, said), closing(words.own.close, shown));
  shown.body.querySelector("button")?.focus();
}

/** @param {Line[]} lines @param {number | null} user @param {string} name @param {Shown} shown */
function result(lines, user, name, shown) {
  const loaded = lines.filter((line) => line.file);
  /** @param {"added" | "there" | "cut"} what */
  const sum = (what) => loaded.reduce((total, line) => total + (line[what] ?? 0), 0);
  /** @type {Map<string, number>} */
  const passed = new Map();
  for (const line of loaded)
    for (const [reason, number] of Object.entries(line.passed ?? {}))
      passed.set(reason, (passed.get(reason) ?? 0) + number);
  const notes = [
    ...lines.filter((line) => line.error).map((line) => line.error ?? ""),
    ...lines.filter((line) => line.unknown).map((line) => words.own.unknown(line.unknown ?? "")),
    ...[...passed].map(([reason, number]) => `${count(number)} ${reason}`),
    ...(sum("there") ? [words.own.there(count(sum("there")))] : []),
    ...(sum("cut") ? [words.own.cut(count(sum("cut")))] : []),
  ];
  const look = () => {
    shown.dialog.close();
    learnName(String(user), name);
    go({ ...narrowed({}), view: "", user: String(user), users: "", other: "", year: "", range: "", from: "", to: "" });
  };
  shown.status.textContent = user ? words.own.done(count(sum("added")), loaded.length) : words.own.nothing;
  shown.body.replaceChildren(
    ...(notes.length
      ? [
          h("h3", { id: "own-notes" }, words.own.passed),
          h(
            "ul",
            { class: "notes", tabindex: "0", "aria-labelledby": "own-notes" },
            ...notes.map((note) => h("li", {}, note)),
          ),
        ]
      : []),
    user
      ? h("div", { class: "row" }, h("button", { class: "button", type: "button", onclick: look }, words.own.look))
      : closing(words.own.close, shown),
  );
  shown.body.querySelector("button")?.focus();
}
