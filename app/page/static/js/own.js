// One's own listening history: files dropped on the page, or picked, become a new listener. Under `make run` alone.

import { ApiError, keyHeaders } from "./api.js";
import { learnName } from "./controls.js";
import { h } from "./dom.js";
import { count } from "./format.js";
import { browserZone, go } from "./state.js";
import { words } from "./words.js";

/** @typedef {{ path: string, file: File }} Found */
/** @typedef {{ file?: string, added?: number, passed?: Record<string, number>, error?: string, unknown?: string, user_id?: number | null }} Line */

const token = document.querySelector('meta[name="upload-token"]')?.getAttribute("content");

/** Offer it where the service takes files. @param {HTMLElement} place where the button goes */
export function offerOwn(place) {
  if (!token) return;
  place.prepend(h("button", { class: "docs", type: "button", onclick: () => show([]) }, words.own.offer));
  addEventListener("dragover", (event) => event.preventDefault());
  addEventListener("drop", async (event) => {
    event.preventDefault();
    const items = [...(event.dataTransfer?.items ?? [])].map((item) => item.webkitGetAsEntry());
    const found = (await Promise.all(items.map((entry) => (entry ? filesIn(entry) : [])))).flat();
    if (found.length) show(found);
  });
}

/** The file, or all files of the folder and those in it. @param {FileSystemEntry} entry @returns {Promise<Found[]>} */
async function filesIn(entry) {
  const path = entry.fullPath.replace(/^\//, "");
  if (entry.isFile) {
    const one = /** @type {FileSystemFileEntry} */ (entry);
    return [{ path, file: await new Promise((resolve, reject) => one.file(resolve, reject)) }];
  }
  const reader = /** @type {FileSystemDirectoryEntry} */ (entry).createReader();
  const found = [];
  for (;;) {
    /** @type {FileSystemEntry[]} */
    const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    if (!some.length) return (await Promise.all(found)).flat();
    found.push(...some.map(filesIn)); // a reader gives a folder's entries a hundred at a time
  }
}

/** @param {Found[]} found */
function show(found) {
  document.querySelector("dialog[open]")?.remove();
  let files = found;
  const name = /** @type {HTMLInputElement} */ (
    h("input", { id: "own-name", required: true, maxlength: 20, autocomplete: "off", value: words.own.me })
  );
  const chosen = h("p", { class: "hint", "aria-live": "polite" });
  const body = h("div", { class: "own" });
  const send = /** @type {HTMLButtonElement} */ (h("button", { class: "button", type: "submit" }, words.own.send));

  /** @param {Found[]} some */
  const choose = (some) => {
    files = some;
    const size = files.reduce((sum, { file }) => sum + file.size, 0);
    chosen.textContent = files.length ? words.own.chosen(files.length, count(Math.ceil(size / 1e6))) : "";
    send.disabled = !files.length;
  };

  /** @param {string} id @param {string} label @param {Record<string, boolean>} attributes */
  const picker = (id, label, attributes) => {
    const input = /** @type {HTMLInputElement} */ (h("input", { id, type: "file", ...attributes }));
    input.addEventListener("change", () =>
      choose([...(input.files ?? [])].map((file) => ({ path: file.webkitRelativePath || file.name, file }))),
    );
    return h("label", { class: "field", for: id }, h("span", {}, label), input);
  };

  const form = h(
    "form",
    { method: "dialog" },
    h("h2", { id: "own-title" }, words.own.title),
    h("p", { class: "hint" }, words.own.hint),
    picker("own-files", words.own.files, { multiple: true }),
    picker("own-folder", words.own.folder, { webkitdirectory: true }),
    chosen,
    h("label", { class: "field", for: "own-name" }, h("span", {}, words.own.name), name),
    h("div", { class: "row" }, send, h("button", { class: "tool", type: "button", onclick: close }, words.own.close)),
  );
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    if (name.value.trim()) upload(files, name.value.trim(), body);
  });
  body.append(form);
  const dialog = /** @type {HTMLDialogElement} */ (h("dialog", { "aria-labelledby": "own-title" }, body));
  dialog.addEventListener("close", () => dialog.remove());
  choose(found);
  document.body.append(dialog);
  dialog.showModal();
}

function close() {
  document.querySelector("dialog")?.close();
}

/** Send the files, and show how far it is and what became of them. @param {Found[]} files @param {string} name @param {HTMLElement} body */
function upload(files, name, body) {
  const form = new FormData();
  form.append("name", name);
  form.append("tz", browserZone);
  for (const { path, file } of files) form.append("files", file, path);
  const bar = /** @type {HTMLProgressElement} */ (h("progress", { max: 1, value: 0, "aria-label": words.own.sending }));
  const step = h("p", { "aria-live": "polite" }, words.own.sending);
  body.replaceChildren(h("h2", { id: "own-title" }, words.own.title), step, bar);

  const request = new XMLHttpRequest(); // fetch does not tell how much of a body is sent
  request.open("POST", "own");
  for (const [header, value] of Object.entries({ "X-Upload-Token": token ?? "", ...keyHeaders() }))
    request.setRequestHeader(header, value);
  request.upload.addEventListener("progress", ({ loaded, total }) => (bar.value = loaded / total));
  request.upload.addEventListener("load", () => {
    bar.removeAttribute("value");
    step.textContent = words.own.reading;
  });
  request.addEventListener("progress", () => {
    const done = request.responseText.split("\n").length - 1;
    if (done) step.textContent = words.own.read(done);
  });
  request.addEventListener("loadend", () => {
    const lines = request.status === 200 ? linesOf(request.responseText) : [];
    const last = lines.at(-1);
    if (last && "user_id" in last) return result(lines, last.user_id ?? null, name, body);
    const said = request.status >= 400 ? JSON.parse(request.responseText).error : "";
    failed(new ApiError(said || words.failed, request.status), body);
  });
  request.send(form);
}

/** @param {string} text @returns {Line[]} */
function linesOf(text) {
  return text
    .split("\n")
    .filter(Boolean)
    .map((line) => JSON.parse(line));
}

/** @param {ApiError} error @param {HTMLElement} body */
function failed(error, body) {
  body.replaceChildren(
    h("h2", { id: "own-title" }, words.own.title),
    h("p", { class: "failed", role: "alert" }, error.message),
    h("button", { class: "button", type: "button", onclick: close }, words.own.close),
  );
}

/** @param {Line[]} lines @param {number | null} user @param {string} name @param {HTMLElement} body */
function result(lines, user, name, body) {
  const loaded = lines.filter((line) => line.file);
  const added = loaded.reduce((sum, line) => sum + (line.added ?? 0), 0);
  /** @type {Map<string, number>} */
  const passed = new Map();
  for (const line of loaded)
    for (const [reason, number] of Object.entries(line.passed ?? {}))
      passed.set(reason, (passed.get(reason) ?? 0) + number);
  const notes = [
    ...[...passed].map(([reason, number]) => `${count(number)} ${reason}`),
    ...lines.filter((line) => line.unknown).map((line) => words.own.unknown(line.unknown ?? "")),
    ...lines.filter((line) => line.error).map((line) => line.error ?? ""),
  ];
  const look = () => {
    close();
    learnName(String(user), name);
    go({ view: "", user: String(user), users: "", track_id: "", artist_id: "", genre: "", other: "" });
  };
  body.replaceChildren(
    h("h2", { id: "own-title" }, user ? words.own.done(count(added), loaded.length) : words.own.nothing),
    ...(notes.length
      ? [h("h3", {}, words.own.passed), h("ul", { class: "notes" }, ...notes.map((note) => h("li", {}, note)))]
      : []),
    user
      ? h("button", { class: "button", type: "button", onclick: look }, words.own.look)
      : h("button", { class: "button", type: "button", onclick: close }, words.own.close),
  );
  body.querySelector("button")?.focus();
}
