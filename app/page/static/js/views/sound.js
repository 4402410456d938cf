// How it sounds: a histogram for each audio feature.

import { count, percent } from "../format.js";
import { h } from "../dom.js";
import { histogram } from "../plots.js";
import { insight, question } from "../state.js";
import { words } from "../words.js";

/** The ends of the histograms: of all others, 0 and 1. @type {Record<string, [number, number]>} */
const ENDS = { loudness: [-60, 0], tempo: [0, 250] };

/** @typedef {keyof typeof words.features} Feature */

/** @param {string} name @param {number} bin */
function ends(name, bin) {
  const [low, high] = ENDS[name] ?? [0, 1];
  const width = (high - low) / 10;
  return [low + bin * width, low + (bin + 1) * width];
}

/** @param {number} value */
const short = (value) => value.toLocaleString(undefined, { maximumFractionDigits: 2 });

/** @type {import("../panel.js").View} */
export const features = {
  id: "features",
  title: words.panels.features,
  size: "full",
  requests: (now) => [{ path: insight(now, "features"), parameters: question(now) }],
  draw: ([answer], holder) => {
    if (!answer.coverage) return null;
    const columns = Math.max(1, Math.floor(holder.clientWidth / 260));
    const width = holder.clientWidth / columns - 24;
    return h(
      "div",
      {},
      h("p", { class: "hint" }, words.coverage(percent(answer.coverage))),
      h(
        "div",
        { class: "multiples", "--columns": columns },
        ...Object.entries(words.features)
          .filter(([name]) => answer.features[name]?.mean !== null)
          .map(([name, title]) => {
            const { mean, histogram: bins } = answer.features[name];
            const cells = bins.map((/** @type {number} */ value, /** @type {number} */ bin) => {
              const [from, to] = ends(name, bin);
              return { from, to, value, title: `${short(from)} – ${short(to)}\n${count(value)}` };
            });
            return h("figure", {}, h("figcaption", {}, title, h("b", {}, short(mean))), histogram(width, cells, title));
          }),
      ),
    );
  },
  table: ([answer]) => ({
    columns: [words.columns.name, words.columns.bin, words.columns.end, words.columns.listens],
    rows: Object.entries(words.features).flatMap(([name, title]) =>
      answer.features[name].histogram.map((/** @type {number} */ value, /** @type {number} */ bin) => [
        title,
        ...ends(name, bin).map(short),
        value,
      ]),
    ),
  }),
};
