// The hypervolume while the study went on, for any reference point.

const DIGITS = 5;

function progressTools() {
  const here = study();
  const inputs = here.objectives.map((objective, k) =>
    el(
      "label",
      { class: "field", for: `reference-${k}` },
      el("span", {}, `Reference: ${withUnit(objective)}`),
      el("input", {
        id: `reference-${k}`,
        type: "number",
        step: "any",
        inputmode: "decimal",
        value: state.reference[k],
        "aria-describedby": "reference-said",
        oninput: (event) => changeReference(k, event.target),
      }),
    ),
  );
  const own = ownReference(here);
  const changed = own.some((value, k) => value !== state.reference[k]);
  put(
    at("progress-tools"),
    inputs,
    button("The study's own", () => change({ reference: own }), { id: "reference-own", disabled: !changed }),
    el("p", { id: "reference-said", class: "said", role: "status" }),
  );
}

// Not drawn anew while somebody types in it: the caret would jump.
function changeReference(k, input) {
  const value = input.value.trim() === "" ? NaN : Number(input.value);
  const objective = study().objectives[k];
  const wrong = referenceMistake(objective, value);
  input.setAttribute("aria-invalid", String(wrong !== null));
  if (wrong !== null) {
    at("reference-said").textContent = wrong;
    return;
  }
  change({ reference: state.reference.map((old, other) => (other === k ? value : old)) });
}

function referenceMistake(objective, value) {
  if (!Number.isFinite(value)) return `The reference of ${label(objective)} has to be a number.`;
  if (objective.scale === "log" && value <= 0)
    return `The reference of ${label(objective)} has to be above 0, since its axis is a log one.`;
  return null;
}

function drawProgress() {
  const here = study();
  const inputs = here.objectives.map((_, k) => at(`reference-${k}`));
  if (!inputs.includes(document.activeElement) || inputs.includes(null)) progressTools();
  at("reference-own").disabled = ownReference(here).every((value, k) => value === state.reference[k]);
  const trace = traceOf(here);
  const last = trace.length ? trace[trace.length - 1].volume : 0;
  const own = at("reference-own").disabled;
  const other =
    own || here.hypervolume === null ? "." : `; ${number(here.hypervolume, DIGITS)} from the study's own.`;
  put(
    at("reference-said"),
    "Hypervolume ",
    el("output", { id: "hypervolume", "data-value": last }, number(last, DIGITS)),
    own ? " from the study's own reference" : " from this reference",
    other,
  );
  const body = at("progress-body");
  if (trace.length === 0) return sentence(body, "No trial has ended yet: there is no hypervolume to draw.");
  if (!at("progress-trials"))
    put(
      body,
      el(
        "div",
        { class: "columns two" },
        el("div", { id: "progress-trials" }),
        el("div", { id: "progress-time" }),
      ),
    );
  drawTrace(
    "progress-trials",
    trace.map((step) => step.ended),
    trace,
    "trials ended",
  );
  const timed = trace.filter((step) => step.seconds !== null);
  drawTrace(
    "progress-time",
    timed.map((step) => step.seconds / timeUnit(timed).seconds),
    timed,
    timeUnit(timed).title,
  );
}

function traceOf(of) {
  const found = steps(of);
  const volumes = hypervolumeTrace(found, referenceLosses(of));
  return found.map((step, k) => ({ ...step, volume: volumes[k] }));
}

function timeUnit(timed) {
  return unitOfTime(Math.max(...timed.map((step) => step.seconds), 0));
}

function unitOfTime(longest) {
  if (longest > 2 * 86400) return { seconds: 86400, title: "days at work" };
  if (longest > 2 * 3600) return { seconds: 3600, title: "hours at work" };
  return longest > 180 ? { seconds: 60, title: "minutes at work" } : { seconds: 1, title: "seconds at work" };
}

function drawTrace(id, x, trace, title) {
  const y = trace.map((step) => step.volume);
  const line = {
    type: "scatter",
    mode: "lines",
    x: [0, ...x],
    y: [0, ...y],
    line: { shape: "hv", width: 2, color: colour("--front") },
    fill: "tozeroy",
    fillcolor: colour("--wash"),
    hovertemplate: `%{x:.4~g} ${title}: %{y:.5~g}<extra></extra>`,
  };
  const here = trace.findIndex((step) =>
    study().pooled ? step.key === study().trials.number[state.selected] : step.key === state.selected,
  );
  const marks =
    here < 0
      ? []
      : [
          ring(x[here], y[here], {
            marker: { symbol: "circle-open", size: 14, color: colour("--text"), line: { width: 2 } },
          }),
        ];
  chart(
    at(id),
    `Chart of the hypervolume against ${title}, ending at ${number(y[y.length - 1], DIGITS)}.`,
    [line, ...marks],
    {
      height: 280,
      xaxis: axisLook({ title, rangemode: "tozero" }),
      yaxis: axisLook({ title: "hypervolume", rangemode: "tozero" }),
      uirevision: `${state.study} ${state.reference}`,
    },
  );
}
