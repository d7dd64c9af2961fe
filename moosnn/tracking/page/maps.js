// What the models say over two parameters, with the edge of silence drawn in.

// Dark to light in one direction, and the same for the colour-blind.
const MAP_COLOURS = "Cividis";

function drawMap() {
  const [body, tools, models] = [at("maps-body"), at("maps-tools"), study().models];
  drawModelsNote();
  if (!hasMaps()) return;
  const which = Math.min(state.map, models.maps.length - 1);
  const k = Math.min(state.target.maps, models.targets.length - 1);
  const map = models.maps[which];
  const options = models.maps.map((m, index) => [index, `${m.x_parameter} and ${m.y_parameter}`]);
  put(
    tools,
    chooser("map-pair", "Parameters", options, which, (index) => change({ map: Number(index) })),
    targetChooser("map-target", "maps"),
  );
  const [px, py] = [map.x_parameter, map.y_parameter].map((name) =>
    study().parameters.find((p) => p.name === name),
  );
  const [sx, sy] = [slicePlace(px, map.x), slicePlace(py, map.y)];
  const traces = [...mapTraces(map, k, sx.x, sy.x), ...trialsOver(px, py)];
  const narrow = body.clientWidth < 560;
  chart(
    place(body, "map-chart"),
    `Map of ${targetTitle(models.targets[k])} over ${map.x_parameter} and ${map.y_parameter}, by the model.`,
    traces,
    {
      height: narrow ? 360 : 460,
      margin: { l: 60, r: 12, t: 10, b: 50 },
      uirevision: `${state.study} ${which}`,
      xaxis: axisLook({ title: map.x_parameter, ...sx.axis, showgrid: false }),
      yaxis: axisLook({ title: map.y_parameter, ...sy.axis, showgrid: false }),
    },
  );
  put(
    at("map-said") || tools.appendChild(el("p", { id: "map-said", class: "said" })),
    silenceIndex() < 0 ? "" : "The thick line is where P(silent) is one half.",
  );
}

function silenceIndex() {
  return study().models.targets.findIndex((target) => target.kind === "probability");
}

function mapTraces(map, k, x, y) {
  const target = study().models.targets[k];
  const probability = target.kind === "probability";
  const logs = (line) => line.map((value) => (value > 0 ? Math.log10(value) : null));
  const field = {
    type: "contour",
    x,
    y,
    z: target.log ? map.values[k].map(logs) : map.values[k],
    colorscale: MAP_COLOURS,
    reversescale: probability,
    contours: { coloring: "heatmap" },
    line: { width: 0 },
    ...(probability ? { zmin: 0, zmax: 1, zauto: false } : {}),
    colorbar: colourBar(target),
    hovertemplate: "%{x:.4~g}, %{y:.4~g}: %{z:.4~g}<extra>model</extra>",
  };
  const silence = silenceIndex();
  if (silence < 0) return [field];
  const line = (width, paint) => ({
    type: "contour",
    x,
    y,
    z: map.values[silence],
    autocontour: false,
    showscale: false,
    hoverinfo: "skip",
    contours: { start: SILENCE_CONTOUR, end: SILENCE_CONTOUR, size: 1, coloring: "none" },
    line: { width, color: paint, smoothing: 0.6 },
  });
  // White around black: to be seen on the dark and on the light end of the colours.
  return [field, line(6, "#ffffff"), line(3, "#000000")];
}

function colourBar(target) {
  const font = { size: 11, color: colour("--quiet") };
  const text = safe(target.log ? `log₁₀ ${targetTitle(target)}` : targetTitle(target));
  return { thickness: 12, outlinewidth: 0, len: 0.9, title: { text, side: "right", font }, tickfont: font };
}

function trialsOver(px, py) {
  const status = study().trials.status;
  const place2 = (row) => [position(px, paramAt(px.name, row)), position(py, paramAt(py.name, row))];
  const kinds = ["silent", "infeasible", "dominated", "front"];
  const traces = kinds.map((kind) => {
    const found = thinned(
      rows().filter((row) => status[row] === kind && !place2(row).includes(null)),
      MOST_POINTS.map,
    );
    const drawn = points(kind, found, {
      x: found.map((row) => place2(row)[0]),
      y: found.map((row) => place2(row)[1]),
      size: kind === "front" ? 11 : 7,
    });
    if (!KINDS[kind].stroke) drawn.marker.line = { width: 1, color: "#ffffff" };
    else
      Object.assign(drawn.marker, {
        symbol: "x",
        size: 8,
        color: "#555555",
        line: { width: 1.2, color: "#ffffff" },
      });
    return drawn;
  });
  const row = state.selected;
  const there = row !== null && kinds.includes(status[row]) && !place2(row).includes(null);
  const circle = (paint, width) =>
    ring(...place2(row), { marker: { symbol: "circle-open", size: 20, color: paint, line: { width } } });
  return there ? [...traces, circle("#ffffff", 6), circle("#000000", 2.5)] : traces;
}
