// How charts look and behave. Knows plotly and the colours of the page; must not know what
// a chart shows.

function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

const FONT = 'system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", sans-serif';
// A finger on a chart scrolls the page; a mouse zooms.
const COARSE = matchMedia("(pointer: coarse)");
const CALM = matchMedia("(prefers-reduced-motion: reduce)");

const CONFIG = {
  displaylogo: false,
  responsive: true,
  doubleClick: "reset",
  displayModeBar: COARSE.matches ? false : "hover",
  modeBarButtons: [["toImage", "zoom2d", "pan2d", "resetScale2d"]],
  toImageButtonOptions: { format: "svg", filename: "moosnn" },
};

function axisLook(more = {}) {
  const { title, ...rest } = more;
  return {
    gridcolor: colour("--grid"),
    linecolor: colour("--line"),
    zeroline: false,
    showline: true,
    ticks: "outside",
    ticklen: 4,
    tickcolor: colour("--line"),
    automargin: true,
    tickfont: { size: 11, color: colour("--quiet") },
    title: { text: safe(title || ""), font: { size: 12, color: colour("--quiet") }, standoff: 8 },
    exponentformat: "none",
    ...rest,
  };
}

function scaleOf(objective) {
  if (objective.scale !== "log") return { type: "linear" };
  const least = objective.floor || Number.MIN_VALUE;
  const found = column(objective.metric).filter((value) => value !== null && value !== undefined);
  return logAxis([objective.reference, ...found.map((value) => Math.max(value, least))]);
}

const FEW_DECADES = 2.2; // up to which values between powers of ten are labelled as well
const MOST_DECADES = { narrow: 4, wide: 8 }; // that are labelled each
const PLAIN = [1e-4, 1e6]; // numbers between are written out

// `narrow`: of a small chart, where only some decades have room for a label.
function logAxis(values, narrow = false) {
  if (values.length === 0) return { type: "log" };
  const low = values.reduce((a, b) => Math.min(a, b));
  const high = values.reduce((a, b) => Math.max(a, b));
  const plain = low >= PLAIN[0] && high <= PLAIN[1];
  const decades = Math.log10(high) - Math.log10(low);
  if (decades <= FEW_DECADES) {
    const tickvals = logTicks(low, high, narrow);
    return { type: "log", tickvals, ticktext: tickvals.map((value) => number(value, 3)) };
  }
  const most = MOST_DECADES[narrow ? "narrow" : "wide"];
  return { type: "log", dtick: Math.ceil(decades / most), exponentformat: plain ? "none" : "power" };
}

// Values in full: plotly would write a bare 2 and 5 between 100 and 1000. A decade more on
// either side, for whoever moves the axis.
function logTicks(low, high, narrow) {
  const powers = [Math.floor(Math.log10(low)) - 1, Math.ceil(Math.log10(high)) + 1];
  const sets = narrow ? ["1", "13", "125", "123456789"] : ["125", "123456789"];
  for (const digits of sets) {
    const ticks = [];
    for (let power = powers[0]; power <= powers[1]; power++)
      for (const digit of digits) ticks.push(Number(`${digit}e${power}`));
    const inside = ticks.filter((value) => value >= low && value <= high).length;
    if (inside >= (narrow ? 2 : 3)) return ticks.filter((value) => value > 0 && value < Infinity);
  }
  // Less than a factor of two: even steps, which a log axis hardly bends.
  const rough = (high - low || high) / 4;
  const step = 10 ** Math.floor(Math.log10(rough)) * (rough / 10 ** Math.floor(Math.log10(rough)) > 3 ? 5 : 2);
  const first = Math.max(1, Math.floor(low / step) - 8);
  return Array.from({ length: 24 }, (_, k) => (first + k) * step);
}

function baseLayout() {
  return {
    font: { family: FONT, size: 12, color: colour("--text") },
    paper_bgcolor: "rgba(0,0,0,0)",
    plot_bgcolor: "rgba(0,0,0,0)",
    margin: { l: 52, r: 12, t: 12, b: 44 },
    showlegend: false,
    hovermode: "closest",
    dragmode: COARSE.matches ? false : "zoom",
    hoverlabel: {
      align: "left",
      bgcolor: colour("--panel"),
      bordercolor: colour("--line"),
      font: { family: FONT, size: 12, color: colour("--text") },
    },
    modebar: { bgcolor: "rgba(0,0,0,0)", color: colour("--faint"), activecolor: colour("--text") },
  };
}

// Draws a chart in a host, or draws it anew. `told` is what it is for those who do not
// see it; a point's `customdata` is its trial's row, which a click selects.
function chart(host, told, traces, layout) {
  host.classList.add("chart");
  host.setAttribute("role", "img");
  host.setAttribute("aria-label", told);
  // Plotly measures its host: the height has to be there before the first drawing.
  if (layout.height) host.style.height = `${layout.height}px`;
  const first = !host.dataset.drawn;
  const { height, ...rest } = layout;
  Plotly.react(
    host,
    traces,
    { ...baseLayout(), ...rest, uirevision: layout.uirevision || String(state.study) },
    CONFIG,
  );
  if (!first) return;
  host.dataset.drawn = "yes";
  host.on("plotly_click", ({ points }) => {
    const row = points.map((point) => point.customdata).find((data) => Number.isInteger(data));
    if (row !== undefined) select(row);
  });
}

// The place of a chart inside a view's body, kept from one drawing to the next.
function place(body, id, className = "") {
  if (!at(id)) put(body, el("div", { id, class: className }));
  return at(id);
}

function sentence(body, text) {
  for (const drawn of body.querySelectorAll("[data-drawn]")) Plotly.purge(drawn);
  put(body, empty(text));
}

// Trials as points: of one kind, in its shape and colour, dimmed where a brush leaves them out.
function points(kind, found, { x, y, size = 8, opacity = 1, hover = true, ...more }) {
  const mask = brushed();
  const look = KINDS[kind];
  return {
    type: "scatter",
    mode: "markers",
    name: look.word,
    x,
    y,
    customdata: found,
    hovertext: hover ? found.map((row) => hoverText(row)) : undefined,
    hoverinfo: hover ? "text" : "skip",
    marker: {
      symbol: look.symbol,
      color: colour(look.colour),
      size,
      // One number where it will do: plotly styles each point by itself otherwise.
      opacity: hasBrush() ? found.map((row) => (mask[row] ? opacity : 0.1 * opacity)) : opacity,
      line: { width: look.stroke ? 1.8 : 0.5, color: look.stroke ? colour(look.colour) : colour("--panel") },
    },
    ...more,
  };
}

// The ring around the selected trial.
function ring(x, y, more = {}) {
  return {
    type: "scatter",
    mode: "markers",
    x: [x],
    y: [y],
    hoverinfo: "skip",
    name: "selected",
    marker: {
      symbol: "circle-open",
      size: 20,
      color: colour("--text"),
      line: { width: 2.2, color: colour("--text") },
    },
    cliponaxis: false,
    ...more,
  };
}

// Charts have the colours of the moment at which they were drawn.
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redrawAll);
