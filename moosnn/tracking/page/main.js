// Puts the page together: which view is a function of what.

// What a study is opened with. The reference stays if the next study has the same axes.
function freshState(index) {
  const of = DATA.studies[index];
  const same = DATA.studies[state.study].objectives.every(
    (o, k) => of.objectives[k] && of.objectives[k].metric === o.metric,
  );
  const kept = same && state.reference.length === of.objectives.length;
  const first = of.front.find((n) => rowOf(n, of) !== null);
  return {
    study: index,
    selected: first === undefined ? null : rowOf(first, of),
    byHand: false,
    ranges: {},
    reference: kept ? state.reference : ownReference(of),
    pair: kept ? state.pair : [of.objectives.length > 1 ? 1 : 0, 0],
    sort: { column: 1, up: of.objectives.length > 0 && of.objectives[0].goal === "min" },
  };
}

function openStudy(index) {
  change(freshState(index));
  tell(`${DATA.studies[index].label || DATA.studies[index].name} is shown.`);
}

function contents() {
  const sections = [...document.querySelectorAll("main > section")].filter((section) => !section.hidden);
  put(
    at("contents"),
    sections.map((section) => el("li", {}, el("a", { href: `#${section.id}` }, section.dataset.short))),
  );
}

function whenReady(draw) {
  return () => (window.Plotly ? draw() : undefined);
}

function register() {
  const words = [
    [at("counts"), ["study"], drawHead],
    [at("failures"), ["study"], drawFailures],
    [at("config"), ["study"], drawConfig],
    [at("members-body"), ["study", "selected", "ranges", "sort"], drawMembers],
    [at("trial"), ["study", "selected"], drawTrial],
    [at("parallel"), ["study", "selected", "ranges"], drawParallel],
    [at("importance"), ["study"], drawImportance],
    [at("chosen"), ["study", "selected"], drawChosen],
  ];
  const charts = [
    [
      at("front-body"),
      ["study", "selected", "ranges", "reference", "pair", "tested"],
      () => {
        frontTools();
        drawFront();
      },
    ],
    [at("network-body"), ["study", "selected"], drawNetwork],
    [at("progress"), ["study", "selected", "reference"], drawProgress],
    [at("models"), ["study", "selected", "ranges", "target"], drawSlices],
    [at("models"), ["study", "selected", "ranges", "target", "map"], drawMap],
    [at("workers"), ["study", "selected", "ranges"], drawWorkers],
  ];
  if (DATA.studies.length > 1)
    charts.unshift([at("comparison"), ["study", "reference", "axis", "pair"], drawComparison]);
  for (const [host, keys, draw] of words) view(host, keys, draw);
  for (const [host, keys, draw] of charts) view(host, keys, whenReady(draw));
}

// The words are there before the charts' library, which takes a moment, has been read.
function begin() {
  at("comparison").hidden = DATA.studies.length < 2;
  Object.assign(state, freshState(0));
  register();
  contents();
  for (const draw of [drawHead, drawMembers, drawTrial]) draw();
  document.addEventListener("DOMContentLoaded", () => {
    for (const entry of views) entry.stale = true;
    watchViews();
    watchTrial();
    plan();
  });
  let width = window.innerWidth;
  window.addEventListener("resize", () => {
    // A phone's address bar changes the height alone: nothing to draw anew.
    if (window.innerWidth !== width) redrawAll();
    width = window.innerWidth;
  });
  // Paper is white: on it the page has its light colours, and so must the charts.
  matchMedia("print").addEventListener("change", () => {
    redrawAll();
    drawAll();
  });
}

begin();
