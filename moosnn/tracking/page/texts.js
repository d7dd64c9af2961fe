// What is read rather than seen: the head of the page, failures, config, how to reproduce.

function drawHead() {
  const here = study();
  at("title").textContent = DATA.studies.length > 1 ? here.label || here.name : here.name;
  at("found").textContent = foundWords(here);
  put(
    at("picker"),
    DATA.studies.length < 2
      ? []
      : chooser(
          "study",
          "Study",
          DATA.studies.map((s, k) => [k, s.label || s.name]),
          state.study,
          (k) => openStudy(Number(k)),
        ),
  );
  const counts = Object.keys(KINDS).filter((kind) => here.counts[kind] > 0);
  put(
    at("counts"),
    counts.length === 0
      ? null
      : el(
          "ul",
          {},
          counts.map((kind) => el("li", {}, sign(kind), el("b", {}, String(here.counts[kind])), ` ${kind}`)),
        ),
    el(
      "p",
      {},
      `${number(here.counts.ended)}${here.budget ? ` of ${here.budget}` : ""} trials ended`,
      ` · ${here.optimizer}, seed ${here.seed}`,
      here.finished ? "" : " · not finished",
    ),
  );
  put(
    at("footer"),
    el(
      "p",
      {},
      `Made by moosnn ${DATA.moosnn}. This file is whole: it needs no network and asks for nothing.`,
    ),
  );
}

// What was found, in one sentence.
function foundWords(here) {
  if (here.front.length === 0) {
    const silent = here.counts.silent ? `, ${here.counts.silent} of them silent` : "";
    return here.counts.ended
      ? `No feasible trial among ${many(here.counts.ended, "that ended", "that ended")}${silent}.`
      : "No trial has ended yet.";
  }
  const members = here.front.map((n) => rowOf(n, here)).filter((row) => row !== null);
  const spans = here.objectives.map((objective) => {
    const values = members.map((row) => valueAt(objective, row, here)).filter((value) => value !== null);
    const [low, high] = [Math.min(...values), Math.max(...values)].map((v) => number(v, 3));
    return valueWords(objective, low === high ? low : `from ${low} to ${high}`);
  });
  const what =
    members.length === 1 ? "One trial is on the front" : `${members.length} trials are on the front`;
  const size =
    here.objectives.length > 1 && here.hypervolume !== null
      ? ` Hypervolume ${number(here.hypervolume)}.`
      : "";
  return `${what}: ${listed(spans)}.${size}`;
}

function drawFailures() {
  const body = at("failures-body");
  const found = study().failures || [];
  if (found.length === 0) return put(body, empty("Nothing failed."));
  put(
    body,
    found.map((failure) =>
      el(
        "details",
        { open: found.length === 1 },
        el("summary", {}, el("b", {}, failure.kind.replace(/_/g, " ")), ` · ${failureCount(failure)}`),
        failureTable(failure),
        failure.trials.length < failure.count
          ? el("p", { class: "hint" }, `The latest ${failure.trials.length} are listed.`)
          : null,
      ),
    ),
  );
}

function failureCount(failure) {
  const ended =
    failure.final === undefined || failure.final === null ? "" : `, ${failure.final} of them final`;
  return `${many(failure.count, "attempt")}${ended}`;
}

function failureTable(failure) {
  return table(
    `Failures: ${failure.kind}`,
    ["trial", "attempt", "message", "log"],
    failure.trials.map(failureRow),
    { class: "small", left: [2, 3] },
  );
}

function failureRow(trial) {
  const row = rowOf(trial.number);
  const name = String(trial.number);
  const link =
    row === null
      ? name
      : button(name, () => showTrial(row), { class: "link", "aria-label": `Select trial ${name}` });
  return el(
    "tr",
    {},
    el("th", { scope: "row" }, link),
    el("td", {}, number(trial.attempt)),
    el("td", { class: "left message" }, trial.message || NOTHING),
    el("td", { class: "left" }, trial.log ? el("code", {}, trial.log) : NOTHING),
  );
}

function showTrial(row) {
  select(row);
  at("trial").scrollIntoView({ behavior: CALM.matches ? "auto" : "smooth" });
}

function drawConfig() {
  const here = study();
  const commands = (here.reproduce || []).join("\n");
  const versions = Object.entries(here.versions || {});
  put(
    at("config-body"),
    commands
      ? codeBlock("How to reproduce", commands, "copy-commands")
      : empty("It is not known how this study was started."),
    here.config_yaml
      ? codeBlock("Config, resolved", here.config_yaml, "copy-config")
      : empty("No config is kept in the folder of this study."),
    versions.length
      ? el(
          "details",
          {},
          el("summary", {}, "Versions"),
          facts(versions.map(([name, value]) => [name, String(value)])),
        )
      : null,
  );
}

function codeBlock(title, text, id) {
  const copy = button("Copy", () => copyText(text, copy), {
    id,
    class: "copy",
    "aria-label": `Copy: ${title}`,
  });
  return el(
    "div",
    { class: "code" },
    el("div", { class: "code-head" }, el("h3", {}, title), copy),
    el("pre", { tabindex: 0, role: "region", "aria-label": title }, el("code", {}, text)),
  );
}

function copyText(text, pressed) {
  const done = () => {
    pressed.textContent = "Copied";
    tell("Copied.");
    setTimeout(() => (pressed.textContent = "Copy"), 1500);
  };
  if (navigator.clipboard) navigator.clipboard.writeText(text).then(done, () => copyByHand(text, done));
  else copyByHand(text, done);
}

// Where a page from a disk may not write to the clipboard itself.
function copyByHand(text, done) {
  const box = el("textarea", { class: "unseen", "aria-hidden": "true" });
  box.value = text;
  document.body.append(box);
  box.select();
  const copied = document.execCommand("copy");
  box.remove();
  if (copied) done();
}
