// A panel: a question to the API, and a picture and a table of the answer.

import { ApiError, ask, urlOf } from "./api.js";
import { h, icon } from "./dom.js";
import { words } from "./words.js";

/**
 * @typedef {import("./state.js").State} State
 * @typedef {{ columns: string[], rows: (string | number)[][] }} Table
 * @typedef {object} View
 * @property {string} id
 * @property {string} title
 * @property {"third" | "half" | "two-thirds" | "full"} [size]
 * @property {(now: State) => import("./api.js").Request[] | null} requests what is asked; null hides the panel
 * @property {(answers: any[], holder: HTMLElement, now: State) => Node | null} draw null where there is nothing to show
 * @property {(answers: any[], now: State) => Table} [table]
 * @property {(first: any, now: State) => import("./api.js").Request | null} [then] a question that the first answer raises
 */

const TABLE = "M4 5h16v14H4zM4 10h16M4 14.5h16M10 5v14";
const LINK = "M8 8h11v11H8zM5 16V5h11";

export class Panel {
  /** @param {View} view @param {(error: ApiError) => void} refused told of a key that is missing or wrong */
  constructor(view, refused) {
    this.view = view;
    this.refused = refused;
    this.holder = h("div", { class: "panel-body" }, skeleton());
    this.tableButton = h(
      "button",
      {
        class: "tool",
        type: "button",
        "aria-pressed": "false",
        title: words.table,
        onclick: () => this.toggle(),
      },
      icon(TABLE),
      h("span", {}, words.table),
    );
    this.copyButton = h(
      "button",
      { class: "tool", type: "button", title: words.copy, onclick: () => this.copy() },
      icon(LINK),
      h("span", {}, words.copy),
    );
    const heading = `${view.id}-title`;
    this.element = h(
      "section",
      { class: `panel ${view.size ?? "third"}`, id: view.id, "aria-labelledby": heading },
      h(
        "header",
        {},
        h("h2", { id: heading }, view.title),
        h("div", { class: "tools" }, view.table ? this.tableButton : null, this.copyButton),
      ),
      this.holder,
    );
    this.showsTable = false;
    /** @type {any[] | null} */
    this.answers = null;
  }

  /**
   * Ask for another state. What is there stays until the answers have come; a question that is overtaken is dropped.
   * @param {State} now
   */
  async load(now) {
    this.controller?.abort();
    this.requests = this.view.requests(now);
    this.element.hidden = this.requests === null;
    if (this.requests === null) return;
    this.controller = new AbortController();
    const { signal } = this.controller;
    this.holder.setAttribute("aria-busy", "true");
    try {
      const answers = (await Promise.all(this.requests.map((request) => ask(request, signal)))).map(({ data }) => data);
      const next = this.view.then?.(answers[0], now);
      if (next) answers.push((await ask(next, signal).catch(() => ({ data: null }))).data);
      if (signal.aborted) return;
      this.answers = answers;
      this.now = now;
      this.show();
    } catch (error) {
      if (!signal.aborted) this.fail(/** @type {Error} */ (error), now);
    } finally {
      if (!signal.aborted) this.holder.removeAttribute("aria-busy");
    }
  }

  /** Draw the answers that there are: also after a change of width or colours. */
  show() {
    if (!this.answers || !this.now) return;
    const drawn =
      this.showsTable && this.view.table
        ? table(this.view.title, this.view.table(this.answers, this.now))
        : this.view.draw(this.answers, this.holder, this.now);
    this.holder.replaceChildren(drawn ?? h("p", { class: "empty" }, words.empty));
  }

  /** @param {Error} error @param {State} now */
  fail(error, now) {
    if (error instanceof ApiError && error.status === 401) return this.refused(error);
    const text = error instanceof ApiError ? error.message : words.failed;
    const again = h("button", { class: "button", type: "button", onclick: () => this.load(now) }, words.retry);
    this.answers = null;
    this.holder.replaceChildren(h("div", { class: "failed", role: "alert" }, h("p", {}, text), again));
  }

  toggle() {
    this.showsTable = !this.showsTable;
    this.tableButton.setAttribute("aria-pressed", String(this.showsTable));
    this.show();
  }

  async copy() {
    const [request] = this.requests ?? [];
    if (!request) return;
    await navigator.clipboard.writeText(new URL(urlOf(request), document.baseURI).href);
    const label = this.copyButton.querySelector("span");
    if (label) label.textContent = words.copied;
    setTimeout(() => label && (label.textContent = words.copy), 1500);
  }
}

function skeleton() {
  return h(
    "div",
    { class: "skeleton", "aria-hidden": "true" },
    ...[92, 78, 85, 60, 70].map((width) => h("i", { "--width": `${width}%` })),
  );
}

/** @param {string} caption @param {Table} content */
function table(caption, { columns, rows }) {
  return h(
    "div",
    { class: "table", tabindex: "0", role: "region", "aria-label": caption },
    h(
      "table",
      {},
      h("thead", {}, h("tr", {}, ...columns.map((name) => h("th", { scope: "col" }, name)))),
      h(
        "tbody",
        {},
        ...rows.map((row) =>
          h(
            "tr",
            {},
            ...row.map((cell) =>
              h(
                "td",
                { class: typeof cell === "number" ? "number" : null },
                typeof cell === "number" ? cell.toLocaleString() : cell,
              ),
            ),
          ),
        ),
      ),
    ),
  );
}
