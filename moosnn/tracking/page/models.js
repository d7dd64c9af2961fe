// What slices and maps of the models share: targets, choosers, what there is to show.

const SILENCE_CONTOUR = 0.5; // of P(silent)
const MOST_POINTS = { slice: 150, map: 500 }; // trials of a kind in one chart
function targetTitle(target) {
  if (target.kind === "probability") return target.target;
  const objective = study().objectives.find((o) => o.metric === target.target);
  return objective ? withUnit(objective) : target.target.replace(/_/g, " ");
}

function targetChooser(id, which) {
  const models = study().models;
  const options = models.targets.map((target, k) => [k, targetTitle(target)]);
  return chooser(id, "Shown", options, state.target[which], (k) =>
    change({ target: { ...state.target, [which]: Number(k) } }),
  );
}

// Says so where not every trial is drawn.
function thinnedWords(most) {
  const counts = Object.keys(KINDS).map(
    (kind) => study().trials.status.filter((status) => status === kind).length,
  );
  return Math.max(...counts) > most
    ? el("p", { class: "said" }, `At most ${most} trials of a kind are drawn, evenly over the study.`)
    : null;
}

function hasModels() {
  const models = study().models;
  return Boolean(models && models.targets.length > 0);
}

function hasSlices() {
  return hasModels() && study().models.slices.length > 0;
}

function hasMaps() {
  return hasModels() && study().models.maps.length > 0;
}

// One sentence in the place of both kinds of charts.
function drawModelsNote() {
  const note = (study().models && study().models.note) || "";
  const none = "There are no models of this study: too few trials have been evaluated.";
  put(at("models-note"), hasSlices() || hasMaps() ? el("p", { class: "hint" }, note) : empty(note || none));
  at("slices").hidden = !hasSlices();
  at("maps").hidden = !hasMaps();
}
