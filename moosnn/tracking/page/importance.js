// Which parameters matter, for each objective and for silence, and how far to believe it.

// Below these a forest has learned next to nothing, and neither do its bars say anything.
const LEAST_SCORE = { R: 0.1, ROC: 0.6 };
const MOST_BARS = 10; // parameters a target; the rest can be opened

function drawImportance() {
  const body = at("importance-body");
  const found = study().importance;
  if (!found || found.targets.length === 0) {
    return put(
      body,
      empty("Too few trials have been evaluated to say which parameters matter."),
      found && found.note ? el("p", { class: "hint" }, found.note) : null,
    );
  }
  put(
    body,
    el("div", { class: "columns" }, found.targets.map(importanceCard)),
    el("p", { class: "hint" }, found.note || ""),
  );
}

function importanceCard(target) {
  const about =
    study().objectives.find((o) => o.metric === target.target) ||
    study().constraints.find((c) => c.metric === target.target);
  const title = about ? label(about) : target.target.replace(/_/g, " ");
  const score = target.score === null ? "" : `${target.score_name} ${number(target.score, 2)} · `;
  const weak =
    target.score !== null && target.score < LEAST_SCORE[target.score_name.startsWith("ROC") ? "ROC" : "R"];
  const sorted = [...target.parameters].sort((a, b) => b.mean - a.mean);
  const largest = Math.max(...sorted.map((p) => p.mean + (p.sd || 0)), Number.MIN_VALUE);
  const table = (some) =>
    el(
      "table",
      { class: "bars", "aria-label": `Importance for ${title}` },
      el(
        "tbody",
        {},
        some.map((p) => importanceRow(p, largest, target.kind)),
      ),
    );
  return el(
    "div",
    { class: weak ? "card weak" : "card" },
    el("h3", {}, capital(title)),
    el(
      "p",
      { class: "hint" },
      `${score}${many(target.trials, "trial")}`,
      weak ? ": too weak a model, do not rely on these bars" : "",
    ),
    table(sorted.slice(0, MOST_BARS)),
    sorted.length > MOST_BARS
      ? el(
          "details",
          {},
          el("summary", {}, `${sorted.length - MOST_BARS} more`),
          table(sorted.slice(MOST_BARS)),
        )
      : null,
  );
}

function importanceRow({ name, mean: value, sd }, largest, kind) {
  const share = (size) => `${(100 * Math.max(0, Math.min(1, size / largest))).toFixed(1)}%`;
  const whisker = sd
    ? el("i", {
        class: "whisker",
        style: `left:${share(value - sd)};right:calc(100% - ${share(value + sd)})`,
      })
    : null;
  return el(
    "tr",
    {},
    el("th", { scope: "row", class: "left" }, name),
    el(
      "td",
      { class: "track" },
      el("div", {}, meter(value / largest, kind === "objective" ? "--front" : "--edge"), whisker),
    ),
    el("td", {}, decimals(value, 2), sd ? el("small", {}, ` ±${decimals(sd, 2)}`) : null),
  );
}
