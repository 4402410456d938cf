// Pictures by Observable Plot, in the page's own colours. Plot's one style sheet is known to the page's content policy by its
// hash, so that its class must stay this.

import { brush } from "./brush.js";
import { h } from "./dom.js";

const { Plot, d3 } = /** @type {any} */ (globalThis);

/** The class of Plot's style sheet. */
const CLASS = "plot";

/** A colour of the style sheet. @param {string} name */
export const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();

/**
 * @param {number} width in pixels
 * @param {object} options Plot's
 * @returns {SVGSVGElement}
 */
export function plot(width, options) {
  const chart = Plot.plot({
    className: CLASS,
    width: Math.max(200, width),
    style: { background: "transparent", fontFamily: "inherit", fontSize: "12px", overflow: "visible" },
    ...options,
  });
  // A picture with a label is one thing to a screen reader; its parts are named for Plot's own sake.
  chart.setAttribute("role", "img");
  for (const part of chart.querySelectorAll("g[aria-label]")) part.removeAttribute("aria-label");
  return chart;
}

/**
 * An area over time, on which a span can be chosen.
 * @param {number} width
 * @param {{ start: Date, end: Date, name: string, value: number }[]} rows
 * @param {{ label: string, tip: (row: any) => string, choose: (start: Date, end: Date) => void }} options
 */
export function area(width, rows, { label, tip, choose }) {
  const height = 240;
  const middle = rows.map((row) => ({ ...row, at: new Date((+row.start + +row.end) / 2) }));
  const accent = colour("accent");
  const last = rows[rows.length - 1];
  // A bucket that is not over yet is as wide as it has lasted, rather than a fall to nothing.
  const steps = [...rows, { ...last, start: last.end }];
  const channels = { x: "start", y: "value", curve: "step-after" };
  const chart = plot(width, {
    height,
    marginLeft: 44,
    marginRight: 8,
    ariaLabel: label,
    x: { type: "utc", label: null, domain: d3.extent(rows.flatMap((row) => [row.start, row.end])) },
    y: { label: null, grid: true, tickFormat: "~s", zero: true, nice: true, ticks: 4 },
    marks: [
      Plot.areaY(steps, { ...channels, fill: accent, fillOpacity: 0.16 }),
      Plot.lineY(steps, { ...channels, stroke: accent, strokeWidth: 2 }),
      Plot.ruleX(middle, Plot.pointerX({ x: "at", stroke: colour("muted"), strokeDasharray: "2 3" })),
      Plot.dot(middle, Plot.pointerX({ x: "at", y: "value", r: 4, fill: accent })),
      Plot.tip(
        middle,
        Plot.pointerX({ x: "at", y: "value", title: tip, fill: colour("surface"), stroke: colour("line") }),
      ),
    ],
  });
  return h("div", {}, chart, brush(chart, height, rows, choose));
}

/**
 * A table of numbers as a heat map.
 * @param {number} width
 * @param {{ x: any, y: any, value: number, title: string }[]} cells
 * @param {object} options Plot's
 */
export function heat(width, cells, options) {
  return plot(width, {
    padding: 0.12,
    x: { label: null, tickSize: 0 },
    y: { label: null, tickSize: 0 },
    color: { type: "sqrt", range: [colour("heat-0"), colour("accent")], interpolate: "lab" },
    marks: [Plot.cell(cells, { x: "x", y: "y", fill: "value", title: "title", rx: 3, tip: tipOptions() })],
    ...options,
  });
}

/** What the box by the pointer looks like. */
export const tipOptions = () => ({ fill: colour("surface"), stroke: colour("line") });

/** @param {number} width @param {{ from: number, to: number, value: number, title: string }[]} bins @param {string} label */
export function histogram(width, bins, label) {
  return plot(width, {
    height: 110,
    ariaLabel: label,
    marginLeft: 4,
    marginRight: 4,
    marginTop: 6,
    x: { label: null, ticks: 3, tickSize: 0 },
    y: { axis: null },
    marks: [
      Plot.rectY(bins, {
        x1: "from",
        x2: "to",
        y: "value",
        fill: colour("accent"),
        title: "title",
        inset: 1,
        rx: 2,
        tip: tipOptions(),
      }),
      Plot.ruleY([0], { stroke: colour("line") }),
    ],
  });
}

/** @param {number} width @param {{ at: Date, value: number }[]} rows @param {string} label */
export function line(width, rows, label) {
  return plot(width, {
    height: 160,
    marginLeft: 44,
    ariaLabel: label,
    x: { type: "utc", label: null },
    y: { label: null, grid: true, ticks: 4, nice: true },
    marks: [Plot.lineY(rows, { x: "at", y: "value", stroke: colour("accent"), strokeWidth: 2, tip: tipOptions() })],
  });
}
