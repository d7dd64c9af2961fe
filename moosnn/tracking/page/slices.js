// What the models say along one parameter, all others as at a member of the front.

const SMALL_PLOT_PX = { wide: 230, narrow: 150 }; // the least width of one slice
const SLICE_HEIGHT = 190;
const MOST_LABELS = { all: 10, some: 6 }; // options of a choice: up to 10 all, else 6 in short

function drawSlices() {
  const [body, tools, models] = [at("slices-body"), at("slices-tools"), study().models];
  drawModelsNote();
  if (!hasSlices()) return;
  put(tools, targetChooser("slices-target", "slices"), thinnedWords(MOST_POINTS.slice));
  const k = Math.min(state.target.slices, models.targets.length - 1);
  const columns = Math.max(
    1,
    Math.min(
      models.slices.length,
      Math.floor(body.clientWidth / SMALL_PLOT_PX[body.clientWidth < 560 ? "narrow" : "wide"]),
    ),
  );
  const grid = { columns, lines: Math.ceil(models.slices.length / columns) };
  const layout = {
    height: grid.lines * SLICE_HEIGHT + 10,
    margin: { l: 56, r: 10, t: 6, b: 36 },
    shapes: [],
  };
  const traces = models.slices.flatMap((slice, index) => sliceCell(slice, index, grid, k, layout));
  chart(
    place(body, "slices-chart"),
    `Charts of ${targetTitle(models.targets[k])} along each of ${many(models.slices.length, "parameter")}, by the model.`,
    traces,
    layout,
  );
}

// One small chart; all have the same upward axis, so that slopes can be compared.
function sliceCell(slice, index, grid, k, layout) {
  const target = study().models.targets[k];
  const id = index ? String(index + 1) : "";
  const [line, across] = [Math.floor(index / grid.columns), index % grid.columns];
  const [w, h] = [1 / grid.columns, 1 / grid.lines];
  const parameter = study().parameters.find((p) => p.name === slice.parameter);
  const where = slicePlace(parameter, slice.x);
  layout[`xaxis${id}`] = axisLook({
    anchor: `y${id}`,
    domain: [across * w + 0.012 * (across > 0), (across + 1) * w - 0.012],
    title: slice.parameter,
    tickangle: 0,
    ...where.axis,
  });
  layout[`xaxis${id}`].title.standoff = 2;
  layout[`yaxis${id}`] = axisLook({
    anchor: `x${id}`,
    domain: [1 - (line + 1) * h + 44 / layout.height, 1 - line * h - 4 / layout.height],
    showticklabels: across === 0,
    matches: index ? "y" : undefined,
    ...(target.log ? logAxis(expected(k), true) : { type: "linear", nticks: 5 }),
    range: target.kind === "probability" ? [-0.06, 1.06] : undefined,
  });
  const on = { xaxis: `x${id}`, yaxis: `y${id}` };
  if (target.kind === "probability") {
    layout.shapes.push({
      type: "line",
      xref: `x${id} domain`,
      yref: `y${id}`,
      x0: 0,
      x1: 1,
      y0: SILENCE_CONTOUR,
      y1: SILENCE_CONTOUR,
      line: { dash: "dot", width: 1, color: colour("--quiet") },
    });
  }
  return [
    ...sliceTraces(where.x, slice.values[k], where.discrete, on),
    ...trialsAlong(parameter, target, on),
  ];
}

// All that the models expect of a target, along every parameter.
function expected(k) {
  return study()
    .models.slices.flatMap((slice) => Object.values(slice.values[k]).flat())
    .filter((value) => value > 0);
}

// Options are places 0, 1, … with their names as ticks.
function slicePlace(parameter, x) {
  if (parameter && parameter.kind !== "choice") {
    return {
      x,
      discrete: false,
      axis: parameter.log
        ? logAxis(x, true)
        : { nticks: 4, tickformat: parameter.kind === "int" ? "d" : undefined },
    };
  }
  const labelled = evenly(x.length, x.length > MOST_LABELS.all ? MOST_LABELS.some : MOST_LABELS.all);
  const short = (text) => (labelled.length < x.length && text.length > 8 ? `${text.slice(0, 7)}…` : text);
  return {
    x: x.map((_, k) => k),
    discrete: true,
    axis: {
      tickvals: labelled,
      ticktext: labelled.map((k) => safe(short(number(x[k], 3)))),
      range: [-0.5, x.length - 0.5],
    },
  };
}

function sliceTraces(x, values, discrete, on) {
  if (discrete) return [sliceMarks(x, values, on)];
  const lines = { type: "scatter", mode: "lines", ...on };
  const line = {
    ...lines,
    x,
    y: values.mean,
    line: { color: colour("--front"), width: 2 },
    hovertemplate: "%{x:.4~g}: %{y:.4~g}<extra>model</extra>",
  };
  if (!values.low) return [line];
  const band = {
    ...lines,
    x: [...x, ...[...x].reverse()],
    y: [...values.high, ...[...values.low].reverse()],
    fill: "toself",
    fillcolor: colour("--band"),
    line: { width: 0 },
    hoverinfo: "skip",
  };
  return [band, line];
}

// Between options there is nothing that a line could lead along.
function sliceMarks(x, values, on) {
  const paint = colour("--front");
  const sides = values.low && {
    type: "data",
    symmetric: false,
    color: paint,
    thickness: 1.5,
    array: values.high.map((v, k) => v - values.mean[k]),
    arrayminus: values.mean.map((v, k) => v - values.low[k]),
  };
  return {
    type: "scatter",
    mode: "markers",
    x,
    y: values.mean,
    error_y: sides || undefined,
    marker: { color: paint, size: 9, symbol: "square" },
    hovertemplate: "%{y:.4~g}<extra>model</extra>",
    ...on,
  };
}

function trialsAlong(parameter, target, on) {
  if (!parameter) return [];
  const status = study().trials.status;
  const silence = target.kind === "probability";
  const heightOf = (row) => (silence ? Number(status[row] === "silent") : metricAt(target.target, row));
  const kinds = silence ? ["dominated", "infeasible", "front", "silent"] : ["dominated", "front"];
  const traces = kinds.map((kind) => {
    const known = rows().filter(
      (row) =>
        status[row] === kind &&
        paramAt(parameter.name, row) !== null &&
        heightOf(row) !== null &&
        !(target.log && heightOf(row) <= 0),
    );
    const found = thinned(known, MOST_POINTS.slice);
    return points(kind, found, {
      x: found.map((row) => position(parameter, paramAt(parameter.name, row))),
      y: found.map(heightOf),
      size: kind === "front" ? 7 : 5,
      opacity: 0.55,
      ...on,
    });
  });
  const row = state.selected;
  const height = row === null ? null : heightOf(row);
  const there =
    row !== null && kinds.includes(status[row]) && height !== null && paramAt(parameter.name, row) !== null;
  return there
    ? [
        ...traces,
        ring(position(parameter, paramAt(parameter.name, row)), height, {
          ...on,
          marker: { symbol: "circle-open", size: 12, color: colour("--text"), line: { width: 2 } },
        }),
      ]
    : traces;
}
