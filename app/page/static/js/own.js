// One's own listening history: files dropped on the page, or picked, become a new listener. Under `make run` alone.

import { h } from "./dom.js";
import { count } from "./format.js";
import { upload } from "./upload.js";
import { words } from "./words.js";

/** @typedef {{ path: string, file: File }} Found */

const token = document.querySelector('meta[name="upload-token"]')?.getAttribute("content");

/** Offer it where the service takes files. @param {HTMLElement} place where the button goes */
export function offerOwn(place) {
  if (!token) return;
  place.prepend(h("button", { class: "docs", type: "button", onclick: () => show([]) }, words.own.offer));
  addEventListener("dragover", (event) => {
    event.preventDefault();
    if (event.dataTransfer?.types.includes("Files") && canShow()) document.body.dataset.drop = words.own.drop;
  });
  addEventListener("dragleave", (event) => {
    if (!event.relatedTarget) delete document.body.dataset.drop;
  });
  addEventListener("drop", async (event) => {
    event.preventDefault();
    delete document.body.dataset.drop;
    const items = [...(event.dataTransfer?.items ?? [])].map((item) => item.webkitGetAsEntry());
    const found = (await Promise.all(items.map((entry) => (entry ? filesIn(entry) : [])))).flat();
    if (found.length && canShow()) show(found);
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

/** Whether no other dialog is open, and no files are on their way. */
function canShow() {
  const open = /** @type {HTMLElement | null} */ (document.querySelector("dialog[open]"));
  return !open || (open.classList.contains("own") && !("busy" in open.dataset));
}

/** Ask for files, where there are none yet, and for a name. @param {Found[]} found */
function show(found) {
  document.querySelector("dialog[open]")?.remove();
  let files = found;
  const status = h("p", { role: "status" });
  const body = h("div", {});
  const dialog = /** @type {HTMLDialogElement} */ (
    h("dialog", { class: "own", "aria-labelledby": "own-title" }, h("h2", { id: "own-title" }, words.own.title))
  );
  const name = /** @type {HTMLInputElement} */ (
    h("input", { id: "own-name", required: true, maxlength: 20, autocomplete: "off", value: words.own.me })
  );
  const send = h("button", { class: "button", type: "submit" }, words.own.send);

  /** @param {Found[]} some */
  const choose = (some) => {
    files = some;
    const size = files.reduce((sum, { file }) => sum + file.size, 0);
    status.textContent = files.length ? words.own.chosen(files.length, count(Math.ceil(size / 1e6))) : "";
    send.toggleAttribute("disabled", !files.length);
  };

  /** @param {string} label @param {Record<string, boolean>} attributes */
  const picker = (label, attributes) => {
    const input = /** @type {HTMLInputElement} */ (h("input", { type: "file", ...attributes }));
    input.addEventListener("change", () =>
      choose([...(input.files ?? [])].map((file) => ({ path: file.webkitRelativePath || file.name, file }))),
    );
    return h("label", { class: "pick" }, label, input);
  };

  /** @param {Event} event */
  const submit = (event) => {
    event.preventDefault();
    if (!name.value.trim()) return;
    const request = upload(token ?? "", files, name.value.trim(), { dialog, status, body });
    dialog.addEventListener("close", () => request.abort());
  };
  const close = h("button", { class: "tool", type: "button", onclick: () => dialog.close() }, words.own.close);
  body.append(
    h(
      "form",
      { onsubmit: submit },
      h("p", { class: "hint" }, words.own.hint),
      h(
        "div",
        { class: "drop" },
        h("p", {}, words.own.drop),
        h("div", {}, picker(words.own.files, { multiple: true }), picker(words.own.folder, { webkitdirectory: true })),
      ),
      h("label", { class: "field", for: "own-name" }, h("span", {}, words.own.name), name),
      h("div", { class: "row" }, send, close),
    ),
  );
  dialog.append(status, body);
  dialog.addEventListener("close", () => dialog.remove());
  choose(found);
  document.body.append(dialog);
  dialog.showModal();
  if (found.length) name.select();
}
