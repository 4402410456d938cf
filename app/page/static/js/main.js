// The page: its address says what is shown, and each view is a grid of panels.

import { ApiError } from "./api.js";
import { controls, learnNames, whose } from "./controls.js";
import { h } from "./dom.js";
import { askForKey } from "./keys.js";
import { offerOwn } from "./own.js";
import { Panel } from "./panel.js";
import { address, onChange, state } from "./state.js";
import { views } from "./views/index.js";
import { words } from "./words.js";

/** @typedef {import("./state.js").State} State */
/** @typedef {keyof typeof views} Name */

const place = (/** @type {string} */ id) => /** @type {HTMLElement} */ (document.getElementById(id));

/** @type {Map<import("./panel.js").View, Panel>} */
const panels = new Map();

/** @param {State} now @returns {Name} */
function viewOf(now) {
  const name = /** @type {Name} */ (now.view in views ? now.view : "overview");
  return views[name]?.ofUser && !now.user ? "overview" : name;
}

/** @param {State} now @param {Name} current */
function tabs(now, current) {
  return Object.entries(views)
    .filter(([, { ofUser }]) => !ofUser || now.user)
    .map(([name]) =>
      h(
        "a",
        {
          href: address({ view: name === "overview" ? "" : name }),
          "aria-current": name === current ? "page" : null,
        },
        words.views[/** @type {Name} */ (name)],
      ),
    );
}

/** @param {import("./panel.js").View} view */
function panelOf(view) {
  let panel = panels.get(view);
  if (!panel) panels.set(view, (panel = new Panel(view, refused)));
  return panel;
}

/** @param {State} now */
function show(now) {
  const current = viewOf(now);
  document.title = `${whose(now)} · ${words.views[current]} · ${words.title}`;
  place("whose").textContent = whose(now);
  place("tabs").replaceChildren(...tabs(now, current));
  showControls(now);
  const shown = (views[current]?.panels ?? []).map(panelOf);
  place("panels").replaceChildren(...shown.map((panel) => panel.element));
  for (const panel of shown) panel.load(now);
}

/** @param {State} now */
function showControls(now) {
  const focused = document.activeElement?.id;
  place("controls").replaceChildren(...controls(now));
  if (focused) document.getElementById(focused)?.focus();
}

/** @param {ApiError} error */
function refused(error) {
  askForKey(error.message, start);
}

async function start() {
  show(state());
  try {
    await learnNames();
    const now = state();
    place("whose").textContent = whose(now);
    showControls(now);
    redraw();
  } catch (error) {
    if (error instanceof ApiError && error.status === 401) refused(error);
  }
}

function redraw() {
  for (const panel of panels.values()) if (panel.element.isConnected && !panel.element.hidden) panel.show();
}

// Links to another state of this page are followed without loading it anew.
document.addEventListener("click", (event) => {
  const link = event.target instanceof Element ? event.target.closest("a[href]") : null;
  if (!(link instanceof HTMLAnchorElement) || event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
  if (link.origin !== location.origin || link.pathname !== location.pathname || link.hash) return;
  event.preventDefault();
  history.pushState(null, "", link.href);
  dispatchEvent(new PopStateEvent("popstate"));
});

let width = innerWidth;
addEventListener("resize", () => {
  if (innerWidth !== width) requestAnimationFrame(redraw);
  width = innerWidth;
});
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);

onChange(show);
offerOwn(place("links"));
start();
