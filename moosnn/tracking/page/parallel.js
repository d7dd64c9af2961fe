// Parallel coordinates: a line a trial, a brush an axis. Drawn here and not by plotly, whose
// own need WebGL and a mouse.

const PLOT = { height: 300, top: 64, bottom: 56, side: 46, least: 80 };
const MOST_OPTIONS = 16; // of a choice that are labelled on its axis
const ORDER = ["pending", "failed", "pruned", "silent", "infeasible", "dominated", "front"];

// Where a value lies on its axis, in [0, 1] from below; an absent one lies in the gutter.
function scaled(axis) {
  const { log, floor } = axis;
  const numbersOf = axis.values.filter((value) => value !== null && value !== undefined);
  if (axis.kind === "choice") {
    const last = axis.options.length - 1;
    return {
      low: 0,
      high: last,
      to: (v) => (last ? v / last : 0.5),
      from: (share) => Math.round(share * last),
    };
  }
  const least =
    axis.measured || axis.low === undefined || axis.low === null ? Math.min(...numbersOf) : axis.low;
  const most =
    axis.measured || axis.high === undefined || axis.high === null ? Math.max(...numbersOf) : axis.high;
  const smallest = Math.max(least, floor || Number.MIN_VALUE);
  const forth = log ? (v) => Math.log10(Math.max(v, smallest)) : (v) => v;
  const back = log ? (v) => 10 ** v : (v) => v;
  const [a, b] = [forth(least), forth(most)];
  return {
    low: least,
    high: most,
    to: (v) => (b > a ? (forth(v) - a) / (b - a) : 0.5),
    // The ends are exact, or rounding would brush the extreme trials away.
    from: (share) => (share <= 0 ? least : share >= 1 ? most : tidy(axis, back(a + share * (b - a)))),
  };
}

function tidy(axis, value) {
  return axis.kind === "int" ? Math.round(value) : Number(value.toPrecision(4));
}

// Whether trials differ on an axis, which is all that it can show.
function tells(axis) {
  return new Set(axis.values.filter((value) => value !== null && value !== undefined)).size > 1;
}

let parallelPlot = null; // what the pointer is compared with: axes, scales, places

function drawParallel() {
  const body = at("parallel-body");
  const found = axes()
    .filter(tells)
    .map((axis) => ({ axis, scale: scaled(axis) }));
  if (found.length < 2) {
    put(at("parallel-tools"));
    return put(body, empty("Too few trials have been proposed: there is nothing to compare."));
  }
  drawParallelTools();
  const width = Math.max(body.clientWidth, PLOT.least * found.length);
  const gap = (width - 2 * PLOT.side) / (found.length - 1);
  parallelPlot = found.map((one, k) => ({ ...one, x: PLOT.side + k * gap, k, gap }));
  const picture = svg(
    "svg",
    {
      class: "parallel",
      width,
      height: PLOT.top + PLOT.height + PLOT.bottom,
      viewBox: `0 0 ${width} ${PLOT.top + PLOT.height + PLOT.bottom}`, // paper shrinks it
      role: "group",
      "aria-label": "Parallel coordinates, a brush an axis",
    },
    parallelLines(),
    parallelPlot.map(parallelAxis),
  );
  picture.addEventListener("pointermove", (event) => tipOf(event, picture));
  picture.addEventListener("pointerleave", hideTip);
  picture.addEventListener("click", (event) => {
    const row = rowUnder(event, picture);
    if (row !== null) select(row);
  });
  const scrolled = body.firstElementChild ? body.firstElementChild.scrollLeft : 0;
  put(
    body,
    el("div", { class: "wide", id: "parallel-wide" }, picture),
    el(
      "p",
      { class: "hint" },
      "Drag along an axis, or move its two handles with the arrow keys, to brush: what lies outside is dimmed in every chart. A line in the lowest row has no value there.",
    ),
  );
  body.firstElementChild.scrollLeft = scrolled;
}

function drawParallelTools() {
  const kept = brushed().filter(Boolean).length;
  const said = hasBrush() ? `${kept} of ${many(rows().length, "trial")} are inside.` : "Nothing is brushed.";
  const kinds = ORDER.filter((kind) => study().trials.status.includes(kind)).reverse();
  put(
    at("parallel-tools"),
    button("Clear the brushes", () => change({ ranges: {} }), { id: "brush-clear", disabled: !hasBrush() }),
    el("p", { class: "said", id: "brush-said", role: "status" }, said),
    el(
      "p",
      { class: "legend" },
      legend(
        kinds.map((kind) => [KINDS[kind].colour, KINDS[kind].word]),
        "stroke",
      ),
    ),
  );
}

function heightAt({ axis, scale }, row) {
  const value = axis.values[row];
  if (value === null || value === undefined) return PLOT.top + PLOT.height + 22;
  return PLOT.top + PLOT.height * (1 - scale.to(value));
}

function pathOf(row) {
  return parallelPlot
    .map((one, k) => `${k ? "L" : "M"}${one.x.toFixed(1)} ${heightAt(one, row).toFixed(1)}`)
    .join("");
}

// A path a kind, not a path a trial: two thousand trials stay quick.
function parallelLines() {
  const mask = brushed();
  const status = study().trials.status;
  const layer = (kind, inside) => {
    const found = rows().filter((row) => status[row] === kind && mask[row] === inside);
    if (found.length === 0) return null;
    const faint = inside ? { front: 0.95, dominated: 0.45 }[kind] || 0.35 : 0.06;
    return svg("path", {
      d: found.map(pathOf).join(""),
      class: inside ? `lines ${kind}` : "lines out",
      stroke: `var(${KINDS[kind].colour})`,
      "stroke-opacity": faint,
      "stroke-width": kind === "front" ? 2 : 1,
    });
  };
  const chosen =
    state.selected === null ? null : svg("path", { d: pathOf(state.selected), class: "lines chosen-line" });
  return [...ORDER.map((kind) => layer(kind, false)), ...ORDER.map((kind) => layer(kind, true)), chosen];
}

function parallelAxis(one) {
  const { axis, scale, x, k } = one;
  const [low, high] = rangeOf(axis) || [scale.low, scale.high];
  const y = (value) => PLOT.top + PLOT.height * (1 - scale.to(value));
  const title = axis.title.length > 14 ? `${axis.title.slice(0, 13)}…` : axis.title;
  const touch = svg("rect", {
    x: x - 16,
    y: PLOT.top - 8,
    width: 32,
    height: PLOT.height + 16,
    class: "touch",
    "data-axis": axis.name,
  });
  touch.addEventListener("pointerdown", (event) => startBrush(event, one, touch));
  return svg(
    "g",
    { class: axis.measured ? "axis measured" : "axis" },
    svg("title", {}, axis.title),
    svg("text", { x, y: PLOT.top - 34 - (k % 2 ? 0 : 16), class: "title" }, title),
    svg("line", { x1: x, x2: x, y1: PLOT.top, y2: PLOT.top + PLOT.height }),
    axisTicks(axis, scale).map(([value, text]) =>
      svg("text", { x: x + 6, y: y(value) + 4, class: "tick" }, text),
    ),
    touch,
    svg("rect", {
      x: x - 5,
      y: y(high) - 2,
      width: 10,
      height: Math.max(4, y(low) - y(high) + 4),
      class: rangeOf(axis) ? "brush on" : "brush",
    }),
    handle(one, 0, low, y(low)),
    handle(one, 1, high, y(high)),
  );
}

function axisTicks(axis, scale) {
  if (axis.kind === "choice")
    return evenly(axis.options.length, MOST_OPTIONS).map((k) => [k, number(axis.options[k], 3)]);
  const ticks = [scale.low, scale.from(0.5), scale.high];
  return [...new Set(ticks)].map((value) => [value, number(value, 3)]);
}

function words(axis, value) {
  return axis.kind === "choice" ? String(axis.options[value]) : number(value);
}
