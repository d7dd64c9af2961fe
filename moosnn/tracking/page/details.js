// The selected trial in words and numbers, and a line at the bottom of the screen that says
// which one it is wherever the reader is.

function trialTools() {
  const numbers = study().trials.number;
  const row = state.selected;
  const input = el("input", {
    id: "trial-number",
    type: "number",
    inputmode: "numeric",
    min: numbers[0],
    max: numbers[numbers.length - 1],
    step: 1,
    value: row === null ? "" : numbers[row],
    onchange: (event) => selectNumber(event.target),
  });
  const step = (by) => () =>
    select(Math.max(0, Math.min(numbers.length - 1, (row === null ? -1 : row) + by)));
  put(
    at("trial-tools"),
    numbers.length === 0
      ? []
      : [
          el("label", { class: "field", for: "trial-number" }, el("span", {}, "Trial"), input),
          button("‹ previous", step(-1), { id: "trial-before", disabled: row === null || row === 0 }),
          button("next ›", step(1), { id: "trial-after", disabled: row === numbers.length - 1 }),
          row === null ? null : button("Select none", () => select(null), { id: "trial-none" }),
        ],
  );
}

function selectNumber(input) {
  const row = rowOf(Number(input.value));
  input.setAttribute("aria-invalid", String(row === null));
  if (row === null) tell(`There is no trial ${input.value}.`);
  else select(row);
}

function drawTrial() {
  trialTools();
  const row = state.selected;
  const body = at("trial-body");
  if (row === null) {
    put(at("trial-params"));
    put(at("trial-rest"));
    return put(
      body,
      empty("No trial is selected. Click a point or a line of any chart, or a row of the table."),
    );
  }
  put(body, trialHead(row));
  put(at("trial-params"), card("Parameters", paramList(row)));
  put(
    at("trial-rest"),
    el(
      "div",
      { class: "columns trial" },
      card("Measured", measuredTable(row)),
      card("Training", trainingList(row)),
    ),
  );
}

function trialHead(row) {
  const trials = study().trials;
  const status = trials.status[row];
  return el(
    "p",
    { class: "verdict" },
    sign(status),
    el("b", {}, ` Trial ${trials.number[row]}`),
    `: ${KINDS[status].word}`,
    trials.stopped[row] ? `, stopped early (${trials.stopped[row]})` : "",
    trials.failure[row] ? `, ${trials.failure[row].replace(/_/g, " ")}` : "",
  );
}

function card(title, ...content) {
  return el("div", { class: "card" }, el("h3", {}, title), content);
}

function facts(entries) {
  const shown = entries.filter(([, value]) => value !== null && value !== undefined);
  return el(
    "dl",
    {},
    shown.map(([name, value]) => el("div", {}, el("dt", {}, name), el("dd", {}, value))),
  );
}

function paramList(row) {
  const params = study().parameters;
  const active = params.filter((p) => paramAt(p.name, row) !== null);
  const others = params.filter((p) => paramAt(p.name, row) === null).map((p) => p.name);
  return [
    active.length
      ? facts(active.map((p) => [p.name, number(paramAt(p.name, row))]))
      : empty("It has no parameters."),
    others.length ? el("p", { class: "hint" }, `Not active here: ${others.join(", ")}.`) : null,
  ];
}

// Every metric with its validation value and, where it was retrained, each test value.
function measuredTable(row) {
  const here = study();
  const test = (here.confirmed || {})[here.trials.number[row]];
  const names = Object.keys(here.trials.metrics).filter((name) => metricAt(name, row) !== null);
  if (names.length === 0) return empty("Nothing was measured.");
  const heads = ["validation", ...(test ? ["test"] : [])];
  const lines = (some) => some.map((name) => measuredRow(name, row, test));
  const [first, rest] = [names.filter(wantedThing), names.filter((name) => !wantedThing(name))];
  const retrained = test
    ? `Retrained ${test.of} times: ${test.beyond} of them ` +
      `${here.constraints.length ? "violate a constraint or " : ""}failed.`
    : "";
  return [
    first.length
      ? table("Objectives and constraints", ["wanted and allowed", ...heads], lines(first), {
          class: "small",
        })
      : null,
    el("p", { class: "hint" }, retrained),
    rest.length
      ? el(
          "details",
          {},
          el("summary", {}, `${rest.length} more`),
          table("What else was measured", ["metric", ...heads], lines(rest), { class: "small" }),
        )
      : null,
  ];
}

// The objective or the constraint on a metric, if there is one.
function wantedThing(name) {
  return [...study().objectives, ...study().constraints].find((thing) => thing.metric === name);
}

function measuredRow(name, row, test) {
  const thing = wantedThing(name);
  const sem = (study().trials.sems[name] || [])[row];
  const values = test && Array.isArray(test[name]) ? test[name] : [];
  return el(
    "tr",
    { class: thing ? "strong" : "" },
    el("th", { scope: "row", class: "left" }, thing ? withUnit(thing) : name.replace(/_/g, " ")),
    el("td", {}, number(metricAt(name, row)) + (sem ? ` ±${number(sem, 2)}` : "")),
    test ? el("td", {}, testWords(values)) : null,
  );
}

// Every retraining while they are few, else what they have in common.
function testWords(values) {
  if (values.length === 0) return NOTHING;
  if (values.length <= 3) return values.map((value) => number(value, 3)).join("  ");
  return `${number(mean(values), 3)} (${number(Math.min(...values), 3)} to ${number(Math.max(...values), 3)})`;
}

function trainingList(row) {
  const trials = study().trials;
  const failed = study().failures.flatMap((f) =>
    f.trials.filter((t) => t.number === trials.number[row]).map((t) => ({ ...t, kind: f.kind })),
  );
  return [
    facts([
      ["proposed by", trials.origin[row]],
      ["repeats", isRepeat(row) ? `trial ${trials.repeats[row]}` : null],
      ["ended as", trials.ended[row] === null ? "not yet" : `no. ${trials.ended[row]}`],
      ["at", trials.ended_s[row] === null ? null : seconds(trials.ended_s[row])],
      ["took", trials.seconds[row] === null ? null : seconds(trials.seconds[row])],
      ["worker", trials.worker[row]],
      ["attempts", number(trials.attempts[row])],
    ]),
    failed.map((f) =>
      el(
        "div",
        { class: "failure" },
        el("p", {}, el("b", {}, f.kind.replace(/_/g, " ")), ` (attempt ${f.attempt}): ${f.message}`),
        f.log ? el("p", {}, el("code", {}, f.log)) : null,
      ),
    ),
  ];
}

// The line at the bottom, while the section that says more is out of sight.
let trialInSight = true;

function drawChosen() {
  const bar = at("chosen");
  const row = state.selected;
  bar.hidden = row === null || !state.byHand || trialInSight;
  if (bar.hidden) return;
  const here = study();
  const status = here.trials.status[row];
  const words = here.objectives
    .filter((o) => valueAt(o, row) !== null)
    .map((o) => valueWords(o, number(valueAt(o, row))));
  put(
    bar,
    sign(status),
    el(
      "span",
      {},
      el("b", {}, `Trial ${here.trials.number[row]}`),
      ` ${[KINDS[status].word, ...words].join(" · ")}`,
    ),
    el("a", { href: "#trial", id: "chosen-more" }, "Details"),
    button("×", () => select(null), { "aria-label": "Select none", id: "chosen-none" }),
  );
}

function watchTrial() {
  new IntersectionObserver(([found]) => {
    trialInSight = found.isIntersecting;
    drawChosen();
  }).observe(at("trial"));
}
