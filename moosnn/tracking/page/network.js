// Inside of the selected network: how often each layer fires, and one sample as a raster.

const LAYERS = ["--layer-1", "--layer-2", "--layer-3", "--layer-4"];
const RASTER_GAP = 0.04; // of the height, between two layers
const SPIKE_SHARE = 0.84; // of a neuron's row

function drawNetwork() {
  const body = at("network-body");
  if (state.selected === null) return put(body);
  const found = (study().networks || {})[study().trials.number[state.selected]];
  if (!found) {
    const known = Object.keys(study().networks || {});
    if (known.length === 0 && !edge()) return put(body); // no study of networks
    const where = known.length ? ` There are some of trials ${listed(known)}.` : "";
    return sentence(body, `No firing rates are kept of this trial.${where}`);
  }
  if (!at("network-raster")) {
    put(
      body,
      el(
        "div",
        { class: "columns two" },
        card("Firing rates", el("div", { id: "network-rates" })),
        card(
          "One sample, spike by spike",
          el("div", { id: "network-raster" }),
          el("p", { class: "hint", id: "network-said" }),
        ),
      ),
    );
  }
  put(at("network-rates"), rateTable(found));
  drawRaster(found.raster);
}

function rateTable(network) {
  const of = (name, k) => (network[name] ? network[name][k] : null);
  const largest = Math.max(...(network.rates_per_step || []), Number.MIN_VALUE);
  const bar = (k) => [
    meter(of("rates_per_step", k) / largest, LAYERS[k % LAYERS.length]),
    el("span", {}, percent(of("rates_per_step", k))),
  ];
  const line = (name, k) =>
    el(
      "tr",
      {},
      el("th", { scope: "row", class: "left" }, name),
      el("td", {}, number(of("neurons", k))),
      el("td", { class: "barred" }, bar(k)),
      el("td", {}, percent(of("dead", k))),
      el("td", {}, percent(of("silent", k))),
    );
  const heads = ["layer", "neurons", "fire in a step", "never fire", "silent"];
  const said =
    "Shares: of a layer's neurons that fire in an average step; that fired for no sample; of the samples that leave the layer silent.";
  return [
    table("Firing rates of each layer", heads, network.stages.map(line), { class: "small" }),
    el("p", { class: "hint" }, said),
  ];
}

// A bar with a length of `share` of its cell.
function meter(share, paint) {
  return el("i", {
    class: "meter",
    style: `width:${(100 * Math.max(0, Math.min(1, share))).toFixed(1)}%;background:var(${paint})`,
  });
}

function drawRaster(raster) {
  const host = at("network-raster");
  at("network-said").textContent = raster ? rasterWords(raster) : "";
  if (!raster) return sentence(host, "No spikes of this network are kept.");
  const layout = {
    height: 300,
    margin: { l: 64, r: 10, t: 8, b: 42 },
    xaxis: axisLook({
      title: "time step",
      range: [-0.6, raster.steps - 0.4],
      dtick: raster.steps <= 12 ? 1 : undefined,
      tickformat: "d",
    }),
  };
  const last = raster.stages.length - 1;
  // Room as there are neurons, yet none for a layer that could not be seen.
  const weights = raster.stages.map((stage) => Math.sqrt(stage.neurons));
  const share = (k) => weights.slice(0, k).reduce((a, b) => a + b, 0) / weights.reduce((a, b) => a + b, 0);
  const traces = raster.stages.map((stage, k) => {
    const id = k ? String(k + 1) : "";
    layout[`yaxis${id}`] = axisLook({
      domain: [share(k) + (k ? RASTER_GAP / 2 : 0), share(k + 1) - (k < last ? RASTER_GAP / 2 : 0)],
      range: [-0.7, stage.neurons - 0.3],
      title: `layer ${stage.name}`,
      nticks: 4,
      showgrid: false,
      anchor: "x",
    });
    return rasterTrace(stage, `y${id}`, LAYERS[k % LAYERS.length]);
  });
  chart(place(host, "raster-chart"), `Spike raster. ${rasterWords(raster)}`, traces, layout);
}

function rasterWords(raster) {
  // Of a large layer only some neurons are drawn; all of their spikes were counted.
  const count = (stage) =>
    stage.spikes === undefined || stage.spikes === null ? stage.t.length : stage.spikes;
  const spikes = many(
    raster.stages.reduce((sum, stage) => sum + count(stage), 0),
    "spike",
  );
  const some = raster.stages
    .filter((stage) => stage.shown < stage.neurons)
    .map((stage) => ` Of layer ${stage.name} ${stage.shown} of ${stage.neurons} neurons are drawn.`);
  const answer = raster.answer === raster.class ? "and answered so" : `and answered ${raster.answer}`;
  return `Sample ${raster.sample} of class ${raster.class}, ${answer}: ${spikes} in ${many(raster.steps, "step")}.${some.join("")}`;
}

// One line with gaps: thousands of spikes are one path for the browser.
function rasterTrace(stage, yaxis, paint) {
  const x = [];
  const y = [];
  stage.t.forEach((t, k) => {
    x.push(t, t, null);
    y.push(stage.i[k] - SPIKE_SHARE / 2, stage.i[k] + SPIKE_SHARE / 2, null);
  });
  return {
    type: "scatter",
    mode: "lines",
    x,
    y,
    yaxis,
    hoverinfo: "skip",
    line: { width: 2.5, color: colour(paint) },
  };
}
