// Places over time, as lines that cross.

import { colour, plot, tipOptions } from "./plots.js";

const { Plot, d3 } = /** @type {any} */ (globalThis);

/** A palette of colours that stand next to each other. */
const palette = () => [1, 2, 3, 4, 5, 6, 7, 8].map((number) => colour(`hue-${number}`));

/**
 * Places over time: a line for each of those that come most often, a grey dot for the others.
 * @param {number} width
 * @param {{ at: Date, id: string, name: string, place: number, title: string }[]} rows oldest first, a row a place
 * @param {{ most: number, label: string }} options
 */
export function bump(width, rows, { most, label }) {
  const colours = palette();
  const often = d3
    .groupSort(
      rows,
      (/** @type {any[]} */ own) => -own.length,
      (/** @type {any} */ row) => row.id,
    )
    .slice(0, colours.length);
  const stroke = (/** @type {any} */ row) => colours[often.indexOf(row.id)] ?? colour("faint");
  const latest = Math.max(...rows.map((row) => +row.at));
  const channels = { x: "at", y: "place" };
  return plot(width, {
    height: 50 + most * 40,
    marginLeft: 24,
    marginRight: Math.min(160, width / 3),
    ariaLabel: label,
    x: { type: "utc", label: null, tickSize: 0 },
    y: { label: null, ticks: most, tickSize: 0, tickFormat: "d", domain: [most + 0.4, 0.6] },
    marks: [
      Plot.lineY(unbroken(rows, often), {
        ...channels,
        z: "id",
        stroke,
        strokeWidth: 2.5,
        strokeOpacity: 0.55,
        curve: "bump-x",
      }),
      Plot.dot(rows, {
        ...channels,
        fill: stroke,
        r: width / rows.length > 4 ? 6 : 4,
        title: "title",
        tip: tipOptions(),
      }),
      Plot.text(
        rows.filter((row) => +row.at === latest),
        { ...channels, text: "name", dx: 14, textAnchor: "start", lineWidth: 12, textOverflow: "ellipsis" },
      ),
    ],
  });
}

/**
 * The rows of some ids, with a gap wherever one is absent, so that no line leads over it.
 * @param {any[]} rows @param {string[]} ids
 */
function unbroken(rows, ids) {
  const instants = [...new Set(rows.map((row) => +row.at))];
  const found = new Map(rows.map((row) => [`${+row.at} ${row.id}`, row]));
  return ids.flatMap((id) => instants.map((at) => found.get(`${at} ${id}`) ?? { at: new Date(at), id, place: NaN }));
}
