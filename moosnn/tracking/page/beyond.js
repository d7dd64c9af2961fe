// What lies beyond the edge of silence, in a panel of its own beside the front.

const BEYOND_SHARE = 0.22; // of the chart's width
const BEYOND_LEAST = 0.1; // of the axis beyond the edge, in the constraint's unit
const TICK_HEIGHT = 0.03; // of the panel, where trials without a first objective lie

function beyondAt(row) {
  const value = metricAt(edge().metric, row);
  return value === null ? null : value - edge().upper;
}

// Silent trials, further left = further beyond; those without the upward objective are
// ticks at the bottom.
function beyondTraces({ up, voided }) {
  if (!edge()) return [];
  const upward = voided.filter((row) => metricAt(up.metric, row) !== null);
  const others = voided.filter((row) => metricAt(up.metric, row) === null);
  const clipped = (row) =>
    up.scale === "log" && up.floor ? Math.max(metricAt(up.metric, row), up.floor) : metricAt(up.metric, row);
  const trained = points("silent", upward, {
    x: upward.map(beyondAt),
    y: upward.map(clipped),
    size: 8,
    xaxis: "x2",
  });
  const stopped = points("silent", others, {
    x: others.map(beyondAt),
    y: others.map(() => TICK_HEIGHT),
    size: 10,
    xaxis: "x2",
    yaxis: "y2",
  });
  stopped.marker.symbol = "line-ns-open";
  return [trained, stopped];
}

function beyondLayout(voided, narrow) {
  const furthest = Math.max(BEYOND_LEAST, ...voided.map(beyondAt));
  const box = { xref: "x2 domain", yref: "paper", y0: 0, y1: 1 };
  const title = (text, side) => ({
    text,
    showarrow: false,
    yref: "paper",
    y: 1,
    yanchor: "bottom",
    yshift: 6,
    font: { size: 12, color: colour("--quiet") },
    ...side,
  });
  return {
    xaxis2: axisLook({
      title: narrow ? "beyond" : `${label(edge())} beyond`,
      domain: [0, BEYOND_SHARE],
      range: [1.06 * furthest, -0.004 * furthest],
      nticks: 4,
      showgrid: false,
    }),
    yaxis2: { overlaying: "y", anchor: "x2", range: [0, 1], visible: false, fixedrange: true },
    shapes: [
      {
        type: "rect",
        x0: 0,
        x1: 1,
        ...box,
        fillcolor: colour("--beyond"),
        line: { width: 0 },
        layer: "below",
      },
      { type: "line", x0: 1, x1: 1, ...box, line: { width: 3, color: colour("--text") } },
    ],
    annotations: [
      title(`silent: ${voided.length}`, { xref: "x2 domain", x: 0, xanchor: "left" }),
      title(narrow ? "◂ the edge" : "◂ the edge of silence", { xref: "x domain", x: 0, xanchor: "left" }),
    ],
  };
}
