// The front: what was found, what it dominates, what lies beyond the edge of silence.
// With one objective: its value against trials.

function frontTools() {
  const tools = at("front-tools");
  const { objectives, confirmed } = study();
  const fields = [];
  if (objectives.length > 2) {
    const options = objectives.map((objective, k) => [k, label(objective)]);
    fields.push(chooser("axis-x", "Across", options, state.pair[0], (k) => choosePair(0, Number(k))));
    fields.push(chooser("axis-y", "Upwards", options, state.pair[1], (k) => choosePair(1, Number(k))));
  }
  if (confirmed && Object.keys(confirmed).length > 0 && objectives.length > 1) {
    const box = el("input", {
      type: "checkbox",
      id: "tested",
      checked: state.tested,
      onchange: (event) => change({ tested: event.target.checked }),
    });
    fields.push(
      el("label", { class: "field tick", for: "tested" }, box, el("span", {}, "Test values beside them")),
    );
  }
  put(tools, fields);
}

// Two axes of one objective would show nothing: the other one gives way.
function choosePair(side, objective) {
  const pair = [...state.pair];
  if (pair[1 - side] === objective) pair[1 - side] = pair[side];
  pair[side] = objective;
  change({ pair });
}

function drawFront() {
  const body = at("front-body");
  const here = study();
  if (here.objectives.length === 1) return drawValue(body);
  const [across, up] = state.pair.map((k) => here.objectives[k]);
  const shown = { across, up, ...frontRows(across, up) };
  if (shown.measured.length === 0 && shown.voided.length === 0) {
    return sentence(body, "No trial has been evaluated yet: there is nothing to draw.");
  }
  const host = place(body, "front-chart", "tall");
  const traces = [...frontTraces(shown), ...beyondTraces(shown), ...frontRing(shown)];
  chart(host, frontWords(shown), traces, frontLayout(shown));
}

function frontWords({ across, up, members }) {
  return `Scatter chart of ${label(up)} against ${label(across)}. ${many(members.length, "trial is", "trials are")} on the front; the table below holds their numbers.`;
}

// Which trials are where: rows by kind, with both values; what the edge voids apart.
function frontRows(across, up) {
  const here = study();
  const kinds = { infeasible: [], dominated: [], front: [] };
  const voided = [];
  for (const row of rows()) {
    if (isRepeat(row)) continue;
    const status = here.trials.status[row];
    const both = valueAt(across, row) !== null && valueAt(up, row) !== null;
    if (kinds[status] && both) kinds[status].push(row);
    else if (status === "silent" && edge() && beyondAt(row) !== null) voided.push(row);
  }
  return { kinds, voided, measured: Object.values(kinds).flat(), members: kinds.front };
}

function frontTraces({ across, up, kinds, members }) {
  const here = study();
  const sizes = { infeasible: 9, dominated: 8, front: 12 };
  const traces = [];
  if (members.length > 0) traces.push(...steppedFront(across, up, members));
  for (const [kind, found] of Object.entries(kinds)) {
    const errors = kind === "front" ? errorBars(across, up, found) : {};
    traces.push(
      points(kind, found, {
        x: found.map((row) => valueAt(across, row)),
        y: found.map((row) => valueAt(up, row)),
        size: sizes[kind],
        opacity: kind === "dominated" ? 0.75 : 1,
        ...errors,
      }),
    );
  }
  if (state.tested) traces.push(...testTraces(across, up));
  const reference = [across, up].map((objective) => state.reference[here.objectives.indexOf(objective)]);
  traces.push({
    type: "scatter",
    mode: "markers",
    x: [reference[0]],
    y: [reference[1]],
    name: "reference",
    marker: { symbol: "x", size: 9, color: colour("--reference") },
    hoverinfo: "text",
    hovertext: ["the reference point of the hypervolume"],
  });
  return traces;
}

// The staircase of those that none is better than in the two axes alone, and with two
// objectives what it dominates, up to the reference.
function steppedFront(across, up, members) {
  const here = study();
  const both = (row) => [lossOf(across, valueAt(across, row)), lossOf(up, valueAt(up, row))];
  const best = members
    .filter((row) => !members.some((other) => other !== row && strictlyBetter(both(other), both(row))))
    .sort((a, b) => both(a)[0] - both(b)[0]);
  const x = best.map((row) => valueAt(across, row));
  const y = best.map((row) => valueAt(up, row));
  const line = { type: "scatter", mode: "lines", hoverinfo: "skip", name: "steps" };
  const stairs = { ...line, x, y, line: { shape: "hv", width: 1.5, color: colour("--front") } };
  if (here.objectives.length > 2) return [stairs];
  const [rx, ry] = [across, up].map((objective) => state.reference[here.objectives.indexOf(objective)]);
  const inside = best.filter((row) => covers(both(row), [lossOf(across, rx), lossOf(up, ry)]));
  if (inside.length === 0) return [stairs];
  const fx = inside.map((row) => valueAt(across, row));
  const fy = inside.map((row) => valueAt(up, row));
  const filled = {
    ...line,
    x: [fx[0], ...fx, rx, rx, fx[0]],
    y: [ry, ...fy, fy[fy.length - 1], ry, ry],
    fill: "toself",
    fillcolor: colour("--wash"),
    line: { shape: "hv", width: 0 },
  };
  return [filled, stairs];
}

function strictlyBetter(a, b) {
  return covers(a, b) && a.some((loss, k) => loss < b[k]);
}

// A standard error to each side, where one is known.
function errorBars(across, up, found) {
  const bar = (objective) => {
    const sems = study().trials.sems[objective.metric];
    if (!sems || !found.some((row) => sems[row])) return undefined;
    return {
      type: "data",
      array: found.map((row) => sems[row] || 0),
      thickness: 1.2,
      width: 3,
      color: colour("--front"),
    };
  };
  return { error_x: bar(across), error_y: bar(up) };
}

// The means of the retrainings on the test split, tied to the values the search saw.
function testTraces(across, up) {
  const tests = study().confirmed || {};
  const found = Object.keys(tests)
    .map((key) => [rowOf(Number(key)), tests[key]])
    .filter(([row, test]) => row !== null && [across, up].every((o) => (test[o.metric] || []).length > 0));
  const ties = { x: [], y: [] };
  for (const [row, test] of found) {
    ties.x.push(valueAt(across, row), mean(test[across.metric]), null);
    ties.y.push(valueAt(up, row), mean(test[up.metric]), null);
  }
  const tied = {
    type: "scatter",
    mode: "lines",
    hoverinfo: "skip",
    name: "ties",
    ...ties,
    line: { width: 1, dash: "dot", color: colour("--test") },
  };
  const hollow = {
    type: "scatter",
    mode: "markers",
    name: "test",
    customdata: found.map(([row]) => row),
    x: found.map(([, test]) => mean(test[across.metric])),
    y: found.map(([, test]) => mean(test[up.metric])),
    marker: { symbol: "diamond-open", size: 11, color: colour("--test"), line: { width: 2 } },
    hoverinfo: "text",
    hovertext: found.map(
      ([row, test]) => `trial ${study().trials.number[row]} on test data, mean of ${test.of}`,
    ),
  };
  return [tied, hollow];
}

function frontRing({ across, up, measured, voided }) {
  const row = state.selected;
  if (measured.includes(row)) return [ring(valueAt(across, row), valueAt(up, row))];
  if (!voided.includes(row)) return [];
  const height = metricAt(up.metric, row);
  return [
    ring(beyondAt(row), height === null ? TICK_HEIGHT : height, {
      xaxis: "x2",
      yaxis: height === null ? "y2" : "y",
    }),
  ];
}

function frontLayout({ across, up, voided }) {
  const split = edge() !== null;
  const narrow = at("front-body").clientWidth < 560;
  const layout = {
    height: narrow ? 380 : 480,
    margin: { l: 56, r: 14, t: split ? 34 : 14, b: 50 },
    xaxis: axisLook({
      title: axisTitle(across),
      domain: [split ? BEYOND_SHARE + 0.012 : 0, 1],
      ...scaleOf(across),
    }),
    yaxis: axisLook({ title: axisTitle(up), anchor: split ? "x2" : "x", ...scaleOf(up) }),
    uirevision: `${state.study} ${state.pair}`,
  };
  return split ? { ...layout, ...beyondLayout(voided, narrow) } : layout;
}

// One objective: every value in the order of ending, and the best so far.
function drawValue(body) {
  const [objective] = study().objectives;
  const found = endedRows(study()).filter(
    (row) => valueAt(objective, row) !== null && KINDS[study().trials.status[row]],
  );
  if (found.length === 0)
    return sentence(body, `No trial has measured ${label(objective)} yet: there is nothing to draw.`);
  const ended = (row) => study().trials.ended[row];
  const traces = ["infeasible", "silent", "dominated", "front"].map((kind) => {
    const of = found.filter((row) => study().trials.status[row] === kind);
    return points(kind, of, {
      x: of.map(ended),
      y: of.map((row) => valueAt(objective, row)),
      size: kind === "front" ? 12 : 8,
    });
  });
  let best = null;
  const good = found.filter((row) => ["front", "dominated"].includes(study().trials.status[row]));
  const line = good.map((row) => {
    const value = valueAt(objective, row);
    best = best === null || lossOf(objective, value) < lossOf(objective, best) ? value : best;
    return best;
  });
  traces.unshift({
    type: "scatter",
    mode: "lines",
    x: good.map(ended),
    y: line,
    name: "best so far",
    hoverinfo: "skip",
    line: { shape: "hv", color: colour("--front"), width: 1.5 },
  });
  if (found.includes(state.selected))
    traces.push(ring(ended(state.selected), valueAt(objective, state.selected)));
  chart(place(body, "front-chart", "tall"), `Chart of ${label(objective)} against trials ended.`, traces, {
    height: 420,
    xaxis: axisLook({ title: "trials ended" }),
    yaxis: axisLook({ title: axisTitle(objective), ...scaleOf(objective) }),
  });
}
