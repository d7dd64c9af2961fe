// What the workers did and when, how busy they were, and what early stopping saved.

const SPANS = {
  trial: { word: "trial", colour: "--front", shape: "" },
  confirm: { word: "retraining for the test", colour: "--test", shape: "/" },
  lost: { word: "lost", colour: "--failed", shape: "x" },
};
const LANE_PX = 26;

function drawWorkers() {
  const body = at("workers-body");
  const { timeline } = study();
  const spans = timeline
    ? timeline.workers.flatMap((worker) => worker.spans.map((span) => [worker.name, ...span]))
    : [];
  if (spans.length === 0) return sentence(body, "No worker has had a trial yet.");
  if (!at("workers-chart"))
    put(
      body,
      el("div", { id: "workers-facts" }),
      el("div", { id: "workers-chart" }),
      el("p", { id: "workers-legend", class: "legend" }),
    );
  put(at("workers-facts"), workerFacts(timeline));
  drawSpans(spans);
}

function drawSpans(spans) {
  const { timeline, trials } = study();
  const kinds = Object.keys(SPANS).filter((kind) => spans.some((span) => span[4] === kind));
  put(at("workers-legend"), legend(kinds.map((kind) => [SPANS[kind].colour, SPANS[kind].word])));
  const unit = unitOfTime(timeline.to_s - timeline.from_s);
  const known = new Map(trials.number.map((n, row) => [n, row]));
  const traces = kinds.map((kind) =>
    spanTrace(
      kind,
      spans.filter((span) => span[4] === kind),
      unit,
      known,
    ),
  );
  const names = timeline.workers.map((worker) => worker.name);
  const told = `Timeline of ${many(names.length, "worker")} with ${many(spans.length, "span")} of work.`;
  chart(at("workers-chart"), told, [...traces, chosenSpans(spans, unit)], {
    height: Math.max(150, 60 + LANE_PX * names.length),
    barmode: "overlay",
    bargap: 0.25,
    margin: { l: 60, r: 12, t: 8, b: 44 },
    xaxis: axisLook({
      title: unit.title,
      range: [timeline.from_s / unit.seconds, timeline.to_s / unit.seconds],
    }),
    yaxis: axisLook({
      type: "category",
      categoryorder: "array",
      categoryarray: names.map(safe),
      autorange: "reversed",
      ticks: "",
      showgrid: false,
    }),
  });
}

function workerFacts(timeline) {
  return facts([
    ["workers", number(timeline.workers.length)],
    ["at work", seconds(timeline.to_s - timeline.from_s)],
    ["utilisation", timeline.utilisation === null ? null : percent(timeline.utilisation)],
    ["training", timeline.trained_s === null ? null : seconds(timeline.trained_s)],
    [
      "saved",
      timeline.saved_s ? [seconds(timeline.saved_s), el("small", {}, ` ${timeline.saved_note || ""}`)] : null,
    ],
  ]);
}

function spanTrace(kind, spans, unit, known) {
  const mask = brushed();
  const rowsOf = spans.map((span) => (known.has(span[3]) ? known.get(span[3]) : null));
  return {
    type: "bar",
    orientation: "h",
    name: SPANS[kind].word,
    y: spans.map((span) => safe(span[0])),
    base: spans.map((span) => span[1] / unit.seconds),
    x: spans.map((span) => (span[2] - span[1]) / unit.seconds),
    customdata: rowsOf,
    hoverinfo: "text",
    hovertext: spans.map(
      (span) =>
        `trial ${span[3]}, ${SPANS[kind].word}<br>${safe(span[0])}: ${seconds(span[2] - span[1])} from ${seconds(span[1])}`,
    ),
    marker: {
      color: colour(SPANS[kind].colour),
      pattern: { shape: SPANS[kind].shape, fillmode: "overlay", fgcolor: colour("--panel"), size: 5 },
      opacity: hasBrush() ? rowsOf.map((row) => (row === null || mask[row] ? 0.85 : 0.12)) : 0.85,
      line: { color: colour("--panel"), width: 0.5 },
    },
  };
}

// Frames around the spans of the selected trial.
function chosenSpans(spans, unit) {
  const chosen = state.selected === null ? null : study().trials.number[state.selected];
  const found = spans.filter((span) => span[3] === chosen);
  return {
    type: "bar",
    orientation: "h",
    name: "selected",
    hoverinfo: "skip",
    y: found.map((span) => safe(span[0])),
    base: found.map((span) => span[1] / unit.seconds),
    x: found.map((span) => (span[2] - span[1]) / unit.seconds),
    marker: { color: "rgba(0,0,0,0)", line: { color: colour("--text"), width: 3 } },
  };
}
