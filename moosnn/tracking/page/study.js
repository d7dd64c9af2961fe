// A study as the views need it: its columns, what is brushed, what its front is made of.
// Knows the schema of the data; must not know any chart.

const DATA = JSON.parse(at("data").textContent);

// Shape and colour (Okabe and Ito) of each kind of trial: neither tells alone.
const KINDS = {
  front: { word: "on the front", symbol: "diamond", colour: "--front", sign: "M6 0L12 6L6 12L0 6Z" },
  dominated: {
    word: "dominated",
    symbol: "circle",
    colour: "--dominated",
    sign: "M6 1.5A4.5 4.5 0 1 1 5.99 1.5Z",
  },
  infeasible: { word: "infeasible", symbol: "triangle-up", colour: "--infeasible", sign: "M6 1L11.5 11H.5Z" },
  silent: {
    word: "silent",
    symbol: "x-thin-open",
    colour: "--silent",
    stroke: true,
    sign: "M2 2L10 10M10 2L2 10",
  },
  pruned: { word: "pruned", symbol: "square-open", colour: "--pruned", stroke: true, sign: "M2 2H10V10H2Z" },
  failed: {
    word: "failed",
    symbol: "cross-thin-open",
    colour: "--failed",
    stroke: true,
    sign: "M6 1V11M1 6H11",
  },
  repeat: {
    word: "a repeat of a point",
    symbol: "circle-dot",
    colour: "--quiet",
    sign: "M6 3A3 3 0 1 1 5.99 3Z",
  },
  pending: {
    word: "pending",
    symbol: "circle-open",
    colour: "--quiet",
    stroke: true,
    sign: "M6 2A4 4 0 1 1 5.99 2Z",
  },
};

function study() {
  return DATA.studies[state.study];
}

// The shape of a kind, for legends in the text.
function sign(kind) {
  const { sign: path, stroke, colour } = KINDS[kind];
  const paint = stroke
    ? { fill: "none", stroke: `var(${colour})`, "stroke-width": 2 }
    : { fill: `var(${colour})` };
  return svg(
    "svg",
    { viewBox: "0 0 12 12", class: "sign", "aria-hidden": "true" },
    svg("path", { d: path, ...paint }),
  );
}

function rows(of = study()) {
  return of.trials.number.map((_, row) => row);
}

function rowOf(trialNumber, of = study()) {
  const row = of.trials.number.indexOf(trialNumber);
  return row < 0 ? null : row;
}

function column(name, of = study()) {
  return of.trials.metrics[name] || [];
}

function metricAt(name, row, of = study()) {
  const value = column(name, of)[row];
  return value === undefined ? null : value;
}

function paramAt(name, row, of = study()) {
  const value = (of.trials.params[name] || [])[row];
  return value === undefined ? null : value;
}

// The value the front was judged by: the mean where a point was measured several times.
function valueAt(objective, row, of = study()) {
  const merged = pooledNow(of).get(of.trials.number[row]);
  const index = of.objectives.indexOf(objective);
  const value = merged && merged[index] !== undefined ? merged[index] : metricAt(objective.metric, row, of);
  if (value === null) return null;
  return objective.scale === "log" && objective.floor ? Math.max(value, objective.floor) : value;
}

const pooledCache = new Map();

function pooledNow(of) {
  if (!pooledCache.has(of)) {
    pooledCache.set(of, new Map((of.pooled || []).map(([, key, values]) => [key, values || []])));
  }
  return pooledCache.get(of);
}

function isRepeat(row, of = study()) {
  const repeats = of.trials.repeats;
  return Boolean(repeats && repeats[row] !== null && repeats[row] !== undefined);
}

// The constraint that is the edge, if there is one.
function edge(of = study()) {
  return of.constraints.find((constraint) => constraint.voids) || null;
}

// What a metric is called: energy_nj in nJ is "energy".
function label(thing) {
  const name = thing.label || thing.metric.replace(/_/g, " ").replace(/\./g, ", ");
  const [words, unit] = [name.toLowerCase().split(" "), (thing.unit || "").toLowerCase()];
  const twice = unit && words.length > 1 && words[words.length - 1] === unit;
  return twice ? name.slice(0, -unit.length - 1) : name;
}

function withUnit(thing) {
  const unit = unitOf(thing);
  return unit ? `${label(thing)} (${unit})` : label(thing);
}

// The unit, where the name does not say it.
function unitOf(thing) {
  const unit = thing.unit || "";
  return label(thing).toLowerCase().split(" ").includes(unit.toLowerCase()) ? "" : unit;
}

// A value, or what was written of several, in words: "energy 65 nJ".
function valueWords(thing, written) {
  return [label(thing), written, unitOf(thing)].filter(Boolean).join(" ");
}

function axisTitle(objective) {
  return `${withUnit(objective)}, ${objective.goal === "max" ? "higher" : "lower"} is better`;
}

function capital(text) {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

// What the hypervolume is made of: steps in the order in which trials ended.
function steps(of = study()) {
  if (of.pooled) {
    return of.pooled.map(([ended, key, values]) => ({
      ended,
      key,
      seconds: timeOfEnd(ended, of),
      losses: values && lossesOf(of.objectives, values),
    }));
  }
  return endedRows(of).map((row) => ({
    ended: of.trials.ended[row],
    key: row,
    seconds: of.trials.ended_s[row],
    losses: feasibleLosses(row, of),
  }));
}

function endedRows(of) {
  return rows(of)
    .filter((row) => of.trials.ended[row] !== null)
    .sort((a, b) => of.trials.ended[a] - of.trials.ended[b]);
}

function timeOfEnd(ended, of) {
  const row = of.trials.ended.indexOf(ended);
  return row < 0 ? null : of.trials.ended_s[row];
}

function feasibleLosses(row, of) {
  const status = of.trials.status[row];
  if (status !== "front" && status !== "dominated") return null;
  const values = of.objectives.map((objective) => metricAt(objective.metric, row, of));
  return values.includes(null) ? null : lossesOf(of.objectives, values);
}

function referenceLosses(of = study()) {
  return lossesOf(of.objectives, state.reference);
}

function ownReference(of) {
  return of.objectives.map((objective) => objective.reference);
}

// The axes of the parallel coordinates: what is wanted and what is allowed, then parameters.
// `kind` "choice" has its options as positions 0, 1, ….
function axes(of = study()) {
  const named = of.parameters.map((parameter) => ({
    name: parameter.name,
    title: parameter.name,
    kind: parameter.kind,
    log: parameter.log,
    options: parameter.options,
    low: parameter.low,
    high: parameter.high,
    values: (of.trials.params[parameter.name] || []).map((value) => position(parameter, value)),
  }));
  const shown = [
    ...of.objectives,
    ...of.constraints.filter((c) => !of.objectives.some((o) => o.metric === c.metric)),
  ];
  const measured = shown.map((thing) => ({
    name: `metric ${thing.metric}`,
    title: withUnit(thing),
    kind: "float",
    log: thing.scale === "log",
    floor: thing.floor,
    goal: thing.goal,
    measured: true,
    values: column(thing.metric, of),
  }));
  return [...measured, ...named];
}

function position(parameter, value) {
  if (value === null || value === undefined) return null;
  if (parameter.kind !== "choice") return value;
  const index = parameter.options.indexOf(value); // "1" and 1 are two options
  return index < 0 ? null : index;
}

// A mask over the rows: true where no brush excludes the trial.
let brushedFor = [null, null, null];

function brushed() {
  if (brushedFor[0] !== state.study || brushedFor[1] !== state.ranges) {
    const limits = axes().filter(rangeOf);
    const mask = rows().map((row) =>
      limits.every((axis) => {
        const [low, high] = rangeOf(axis);
        const value = axis.values[row];
        return value !== null && value !== undefined && value >= low && value <= high;
      }),
    );
    brushedFor = [state.study, state.ranges, mask];
  }
  return brushedFor[2];
}

// Only what was put there: a parameter may have the name of what every object has.
function rangeOf(axis) {
  return Object.hasOwn(state.ranges, axis.name) ? state.ranges[axis.name] : null;
}

function hasBrush() {
  return Object.keys(state.ranges).length > 0;
}

function select(row) {
  change({ selected: row, byHand: row !== null });
  if (row !== null) tell(`Trial ${study().trials.number[row]} is selected.`);
}

// What hovering over a trial says. Plotly breaks lines at <br>.
const hoverTexts = new Map();

function hoverText(row, of = study()) {
  if (!hoverTexts.has(of)) hoverTexts.set(of, []);
  const known = hoverTexts.get(of);
  if (known[row] === undefined) known[row] = composedText(row, of);
  return known[row];
}

function composedText(row, of) {
  const trials = of.trials;
  const lines = [`<b>trial ${trials.number[row]}</b>, ${KINDS[trials.status[row]].word}`];
  for (const thing of [...of.objectives, ...of.constraints]) {
    const value = of.objectives.includes(thing) ? valueAt(thing, row, of) : metricAt(thing.metric, row, of);
    if (value !== null) lines.push(`${safe(label(thing))}: ${number(value)} ${safe(thing.unit || "")}`);
  }
  const params = of.parameters.filter((p) => paramAt(p.name, row, of) !== null);
  const words = params.map((p) => `${safe(p.name)} = ${safe(number(paramAt(p.name, row, of)))}`);
  return [...lines, "", ...pairs(words)].join("<br>");
}

// As many rows as a chart can draw while somebody waits, evenly over the study; never
// without the front's members and what is selected.
function thinned(found, most) {
  if (found.length <= most) return found;
  const every = found.length / most;
  const kept = new Set(Array.from({ length: most }, (_, k) => found[Math.floor(k * every)]));
  return found.filter(
    (row) => kept.has(row) || study().trials.status[row] === "front" || row === state.selected,
  );
}

// Two to a line: a long box would cover what it explains.
function pairs(words) {
  const lines = [];
  for (let k = 0; k < words.length; k += 2) lines.push(words.slice(k, k + 2).join(" · "));
  return lines;
}
