// A span of time chosen on a picture: drawn over it, or set with the sliders below, which keys reach.

import { h } from "./dom.js";
import { words } from "./words.js";

const { d3 } = /** @type {any} */ (globalThis);

/** @typedef {{ start: Date, end: Date, name: string }} Bucket */

/**
 * Let a span be chosen on a chart over time; gives the sliders, which are seen while they have the focus.
 * @param {any} chart Plot's
 * @param {number} height
 * @param {Bucket[]} buckets
 * @param {(start: Date, end: Date) => void} choose
 */
export function brush(chart, height, buckets, choose) {
  const scale = chart.scale("x");
  const [left, right] = scale.range;
  const selection = d3.select(chart).append("g").attr("class", "brush");
  const behaviour = d3.brushX().extent([
    [left, 12],
    [right, height - 28],
  ]);
  behaviour.on("end", (/** @type {any} */ event) => {
    if (event.sourceEvent && event.selection)
      choose(scale.invert(event.selection[0]), scale.invert(event.selection[1]));
  });
  selection.call(behaviour);
  selection.select(".overlay").attr("data-brush", "");

  const last = buckets.length - 1;
  const first = slider(0, last);
  const end = slider(last, last);
  const span = h("output", {});
  const inOrder = () => [first, end].map((input) => Number(input.value)).sort((one, other) => one - other);
  const move = () => {
    for (const input of [first, end]) input.setAttribute("aria-valuetext", buckets[Number(input.value)].name);
    const [from, to] = inOrder();
    span.textContent = words.brush.span(buckets[from].name, buckets[to].name);
    selection.call(behaviour.move, [scale.apply(buckets[from].start), scale.apply(buckets[to].end)]);
  };
  /** @param {Event} event */
  const apply = (event) => {
    event.preventDefault();
    const [from, to] = inOrder();
    choose(buckets[from].start, buckets[to].end);
  };
  return h(
    "form",
    { class: "sliders", oninput: move, onfocusin: move, onsubmit: apply },
    labelled(words.brush.from, first),
    labelled(words.brush.to, end),
    span,
    h("button", { class: "button", type: "submit" }, words.brush.apply),
  );
}

/** @param {number} value @param {number} max */
function slider(value, max) {
  return /** @type {HTMLInputElement} */ (h("input", { type: "range", min: 0, max, step: 1, value: String(value) }));
}

/** @param {string} name @param {HTMLElement} input */
function labelled(name, input) {
  return h("label", {}, h("span", {}, name), input);
}
