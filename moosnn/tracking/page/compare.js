// Several studies side by side: hypervolume by group, their fronts in one picture, a table.

const GROUP_COLOURS = [
  "--layer-1",
  "--layer-2",
  "--layer-3",
  "--layer-4",
  "--test",
  "--reference",
  "--dominated",
  "--quiet",
];
const DASHES = ["solid", "dash", "dot", "dashdot"];
const GROUP_SYMBOLS = ["diamond", "circle", "square", "triangle-up", "cross", "star", "pentagon", "hexagon"];
const GRID_POINTS = 300; // of a band

function groupsOf() {
  return DATA.groups.length
    ? DATA.groups
    : DATA.studies.map((s, k) => ({ label: s.label || s.name, studies: [k] }));
}

function groupLook(k) {
  return {
    colour: GROUP_COLOURS[k % GROUP_COLOURS.length],
    dash: DASHES[Math.floor(k / GROUP_COLOURS.length + k) % DASHES.length],
    symbol: GROUP_SYMBOLS[k % GROUP_SYMBOLS.length],
  };
}

// References and axes are shared, so only studies that want the same can share a picture.
function sameProblem() {
  const wanted = (of) =>
    JSON.stringify(of.objectives.map(({ metric, goal, scale }) => [metric, goal, scale]));
  return DATA.studies.every((of) => wanted(of) === wanted(DATA.studies[0]));
}

function drawComparison() {
  const tools = comparisonFrame();
  put(at("comparison-table"), studyTable());
  if (!sameProblem())
    return put(tools, empty("These studies have different objectives: only their numbers are compared."));
  const against = [
    ["trials", "trials ended"],
    ["time", "time at work"],
  ];
  const said =
    "A line is the median of a group's studies, its band reaches from the worst to the best. The reference below counts here too.";
  put(
    tools,
    chooser("comparison-axis", "Against", against, state.axis, (axis) => change({ axis })),
    el("p", { class: "said" }, said),
  );
  put(
    at("comparison-legend"),
    legend(groupsOf().map((group, k) => [groupLook(k).colour, `${group.label} (${group.studies.length})`])),
  );
  drawBands();
  drawFronts();
}

// The places of the comparison, made once.
function comparisonFrame() {
  const parts = [el("div", { id: "comparison-volume" }), el("div", { id: "comparison-fronts" })];
  if (!at("comparison-volume")) {
    put(
      at("comparison-body"),
      el("div", { class: "tools", id: "comparison-tools" }),
      el("div", { class: "columns two" }, parts),
      el("p", { class: "legend", id: "comparison-legend" }),
      el("div", { id: "comparison-table" }),
    );
  }
  return at("comparison-tools");
}

function drawBands() {
  const timed = state.axis === "time";
  const traced = groupsOf().map((group) =>
    group.studies.map((k) => curveOf(DATA.studies[k], timed)).filter((curve) => curve.x.length > 0),
  );
  const unit = timed
    ? unitOfTime(Math.max(0, ...traced.flat().map((curve) => curve.until)))
    : { seconds: 1, title: "trials ended" };
  const traces = traced.flatMap((curves, k) =>
    curves.length ? bandTraces(curves, groupsOf()[k].label, groupLook(k), unit) : [],
  );
  if (traces.length === 0) return sentence(at("comparison-volume"), "No trial has ended yet.");
  chart(
    at("comparison-volume"),
    `Chart of the hypervolume of ${many(groupsOf().length, "group")} against ${unit.title}.`,
    traces,
    {
      height: 360,
      uirevision: `all ${state.axis} ${state.reference}`,
      hovermode: "x unified",
      xaxis: axisLook({ title: unit.title, rangemode: "tozero" }),
      yaxis: axisLook({ title: "hypervolume" }),
    },
  );
}

// A study's steps, and how far it says something: a finished one keeps its last value for
// ever in time; of trials it says nothing beyond its last.
function curveOf(of, timed) {
  const found = steps(of).filter((step) => !timed || step.seconds !== null);
  const volumes = hypervolumeTrace(found, referenceLosses(of));
  const x = found.map((step) => (timed ? step.seconds : step.ended));
  return {
    x,
    y: volumes,
    until: x.length ? x[x.length - 1] : 0,
    known: timed && of.finished ? Infinity : x[x.length - 1],
  };
}

function valueOf(curve, x) {
  let [low, high] = [0, curve.x.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (curve.x[middle] <= x) low = middle + 1;
    else high = middle;
  }
  return low ? curve.y[low - 1] : 0;
}

function bandTraces(curves, name, look, unit) {
  const known = Math.min(...curves.map((curve) => curve.known));
  const to = Math.min(known, Math.max(...curves.map((curve) => curve.until)));
  const grid = [...new Set(curves.flatMap((curve) => curve.x))].filter((x) => x <= to).sort((a, b) => a - b);
  const every = Math.max(1, Math.ceil(grid.length / GRID_POINTS));
  const x = grid.filter((_, k) => k % every === 0 || k === grid.length - 1);
  const values = x.map((place) => curves.map((curve) => valueOf(curve, place)));
  const shown = x.map((place) => place / unit.seconds);
  const paint = colour(look.colour);
  const side = (pick, more) => ({
    type: "scatter",
    mode: "lines",
    x: shown,
    y: values.map((v) => pick(...v)),
    line: { width: 0, shape: "hv" },
    hoverinfo: "skip",
    ...more,
  });
  const middle = {
    type: "scatter",
    mode: "lines",
    name: safe(name),
    x: shown,
    y: values.map(median),
    line: { color: paint, width: 2.2, shape: "hv", dash: look.dash },
    hovertemplate: "%{y:.4~g}",
  };
  if (curves.length === 1) return [middle];
  return [side(Math.min), side(Math.max, { fill: "tonexty", fillcolor: transparent(paint, 0.16) }), middle];
}

function transparent(hex, opacity) {
  const value = parseInt(hex.slice(1), 16);
  return `rgba(${value >> 16},${(value >> 8) & 255},${value & 255},${opacity})`;
}

function drawFronts() {
  const objectives = study().objectives;
  const host = at("comparison-fronts");
  if (objectives.length < 2)
    return sentence(host, "With one objective there is no front to lay over another.");
  const [across, up] = state.pair.map((k) => objectives[k]);
  const traces = groupsOf().flatMap((group, k) =>
    group.studies.flatMap((index) => frontOf(index, state.pair, groupLook(k), group.label)),
  );
  if (!traces.some((trace) => trace.x.length > 0)) return sentence(host, "No study has a front yet.");
  chart(host, `The fronts of ${many(DATA.studies.length, "study", "studies")} in one chart.`, traces, {
    height: 360,
    uirevision: `all ${state.pair}`,
    xaxis: axisLook({ title: axisTitle(across), ...scaleOf(across) }),
    yaxis: axisLook({ title: axisTitle(up), ...scaleOf(up) }),
  });
}

function frontOf(index, pair, look, name) {
  const of = DATA.studies[index];
  const [across, up] = pair.map((k) => of.objectives[k]);
  const members = of.front
    .map((n) => rowOf(n, of))
    .filter((row) => row !== null)
    .sort((a, b) => lossOf(across, valueAt(across, a, of)) - lossOf(across, valueAt(across, b, of)));
  const paint = colour(look.colour);
  return {
    type: "scatter",
    mode: of.objectives.length === 2 ? "lines+markers" : "markers",
    name: safe(name),
    x: members.map((row) => valueAt(across, row, of)),
    y: members.map((row) => valueAt(up, row, of)),
    line: { shape: "hv", width: 1.2, color: paint },
    opacity: 0.85,
    marker: { symbol: look.symbol, size: 8, color: paint },
    hoverinfo: "text",
    hovertext: members.map((row) => `<b>${safe(of.label || of.name)}</b><br>${hoverText(row, of)}`),
  };
}

function studyTable() {
  const heads = "study,optimizer,seed,ended,feasible,silent,failed,front,hypervolume,at work".split(",");
  return [
    table("Table of the studies", heads, DATA.studies.map(studyRow)),
    el("p", { class: "hint" }, "Everything below is about the marked study. Its name opens another one."),
  ];
}

function studyRow(of, k) {
  const { ended, feasible, silent, failed } = of.counts;
  const opener = button(of.label || of.name, () => openStudy(k), {
    class: "link",
    id: `open-${k}`,
    "aria-pressed": String(k === state.study),
  });
  const time = of.timeline ? seconds(of.timeline.to_s - of.timeline.from_s) : NOTHING;
  const numbers = [of.seed, ended, feasible, silent, failed, of.front.length].map((value) => number(value));
  return el(
    "tr",
    { class: k === state.study ? "selected" : "" },
    el("th", { scope: "row", class: "left" }, opener),
    [of.optimizer, ...numbers, decimals(of.hypervolume, 4), time].map((text) => el("td", {}, text)),
  );
}
