// The table of the front's members: what the search saw, what the test split says.

function memberColumns() {
  const here = study();
  const tested = here.confirmed || {};
  const found = [
    {
      title: "trial",
      value: (row) => here.trials.number[row],
      text: (row) => String(here.trials.number[row]),
    },
  ];
  for (const objective of here.objectives) {
    const places = placesFor(here.front.map((n) => valueAt(objective, rowOf(n))));
    found.push({
      title: withUnit(objective),
      below: "validation",
      value: (row) => valueAt(objective, row),
      text: (row) =>
        plusMinus(valueAt(objective, row), (here.trials.sems[objective.metric] || [])[row], places),
    });
  }
  if (Object.keys(tested).length === 0) return [...found, paramColumn()];
  for (const objective of here.objectives) found.push(testColumn(objective, tested));
  if (here.constraints.length === 0) return [...found, paramColumn()];
  found.push({
    title: edge() && /silen/.test(edge().metric) ? "fell silent" : "beyond a bound",
    below: "of retrainings",
    value: (row) => shareBeyond(tested[here.trials.number[row]]),
    text: (row) => {
      const test = tested[here.trials.number[row]];
      return test ? `${test.beyond} of ${test.of}` : NOTHING;
    },
  });
  return [...found, paramColumn()];
}

// Mean and range of the retrainings: the range is what a new seed may give.
function testColumn(objective, tested) {
  const values = (row) => (tested[study().trials.number[row]] || {})[objective.metric] || [];
  const places = placesFor(Object.values(tested).flatMap((test) => test[objective.metric] || []));
  return {
    title: withUnit(objective),
    below: "test, mean (range)",
    value: (row) => (values(row).length ? mean(values(row)) : null),
    text: (row) => {
      const found = values(row);
      if (found.length === 0) return NOTHING;
      const [low, high] = [Math.min(...found), Math.max(...found)].map((v) => decimals(v, places));
      return found.length === 1
        ? decimals(found[0], places)
        : `${decimals(mean(found), places)} (${low} to ${high})`;
    },
  };
}

function paramColumn() {
  const differing = study().parameters.filter((p) => !isShared(p));
  const said = (row) => paramWords(differing, row);
  return { title: "parameters", below: "that differ", wide: true, value: said, text: said };
}

// What all members have in common is told once, below the table.
function isShared(parameter) {
  const values = study().front.map((n) => paramAt(parameter.name, rowOf(n)));
  return values.every((value) => value === values[0]);
}

function paramWords(params, row) {
  return params
    .filter((p) => paramAt(p.name, row) !== null)
    .map((p) => `${p.name}\u00a0${number(paramAt(p.name, row), 3)}`)
    .join(" · ");
}

function shareBeyond(test) {
  return test ? test.beyond / test.of : null;
}

function plusMinus(value, sem, places) {
  return sem ? `${decimals(value, places)} ±${decimals(sem, places)}` : decimals(value, places);
}

function drawMembers() {
  const body = at("members-body");
  const here = study();
  if (here.front.length === 0) {
    return put(
      body,
      empty(`No trial is feasible and better than the reference so far, so the front has no members.`),
    );
  }
  const columns = memberColumns();
  const sorted = sortedMembers(columns);
  const head = el(
    "tr",
    { role: "row" },
    columns.map((column, k) => headCell(column, k)),
  );
  const lines = sorted.map((row) => memberRow(row, columns, sorted));
  const table = el(
    "table",
    { role: "grid", "aria-labelledby": "h-members", "aria-rowcount": lines.length + 1 },
    el("thead", { role: "rowgroup" }, head),
    el("tbody", { role: "rowgroup" }, lines),
  );
  const [top, left] = body.firstElementChild
    ? [body.firstElementChild.scrollTop, body.firstElementChild.scrollLeft]
    : [0, 0];
  const shared = paramWords(study().parameters.filter(isShared), rowOf(here.front[0]));
  put(
    body,
    el(
      "div",
      { class: "wide", role: "region", "aria-label": "Table of the front's members", tabindex: 0 },
      table,
    ),
    shared && here.front.length > 1 ? el("p", { class: "hint" }, `All of them have ${shared}.`) : null,
    el(
      "p",
      { class: "hint" },
      "Arrow keys move along the rows, Enter selects one. Believe the test values: validation chose the members, and flatters them.",
    ),
  );
  scrollMembers(body.firstElementChild, top, left);
}

// A table of many members scrolls by itself: it stays where it was, or goes to where the
// selected one is.
function scrollMembers(box, top, left) {
  box.scrollTop = top;
  box.scrollLeft = left;
  const line = box.querySelector("tr.selected");
  if (!line) return;
  const head = box.querySelector("thead").offsetHeight;
  const hidden =
    line.offsetTop < box.scrollTop + head ||
    line.offsetTop + line.offsetHeight > box.scrollTop + box.clientHeight;
  if (hidden) box.scrollTop = line.offsetTop - box.clientHeight / 2;
}

function sortedMembers(columns) {
  const { column, up } = state.sort;
  const key = (columns[column] || columns[0]).value;
  const found = study()
    .front.map((n) => rowOf(n))
    .filter((row) => row !== null);
  return found.sort((a, b) => ordered(key(a), key(b), up ? 1 : -1));
}

// What is not known comes last, whichever way is up.
function ordered(a, b, way) {
  if (a === null || b === null) return Number(a === null) - Number(b === null);
  return way * (typeof a === "string" ? a.localeCompare(b, "en", { numeric: true }) : a - b);
}

function headCell(column, k) {
  const { column: by, up } = state.sort;
  const sorted = by === k ? (up ? "ascending" : "descending") : "none";
  const press = () => change({ sort: { column: k, up: by === k ? !up : true } });
  const mark = by === k ? (up ? " ▴" : " ▾") : "";
  const told = `Sort by ${column.title}${column.below ? `, ${column.below}` : ""}`;
  const sorter = el(
    "button",
    { type: "button", class: "sorter", id: `sort-${k}`, onclick: press, "aria-label": told },
    el("span", {}, column.title + mark),
    column.below ? el("small", {}, column.below) : null,
  );
  return el(
    "th",
    { scope: "col", role: "columnheader", "aria-sort": sorted, class: column.wide ? "left" : "" },
    sorter,
  );
}

function memberRow(row, columns, sorted) {
  const chosen = state.selected === row;
  // One stop for the tab key: the selected row, or else the first.
  const stop = sorted.includes(state.selected) ? chosen : row === sorted[0];
  return el(
    "tr",
    {
      id: `member-${study().trials.number[row]}`,
      role: "row",
      tabindex: stop ? 0 : -1,
      "aria-selected": String(chosen),
      class: [chosen ? "selected" : "", brushed()[row] ? "" : "dim"].join(" ").trim(),
      onclick: () => select(row),
      onkeydown: (event) => memberKey(event, row),
    },
    columns.map((column, k) =>
      k === 0
        ? el("th", { scope: "row", role: "rowheader" }, column.text(row))
        : el(
            "td",
            { role: "gridcell", class: column.wide ? "left" : "" },
            column.wide ? clamped(column.text(row)) : column.text(row),
          ),
    ),
  );
}

// A row stays a row; the section below the table tells all.
function clamped(text) {
  return el("span", { class: "clamp", title: text }, text);
}

function memberKey(event, row) {
  const line = event.currentTarget;
  const all = [...line.parentNode.children];
  const here = all.indexOf(line);
  const to = { ArrowDown: here + 1, ArrowUp: here - 1, Home: 0, End: all.length - 1 }[event.key];
  if (to !== undefined) {
    event.preventDefault();
    const next = all[Math.max(0, Math.min(all.length - 1, to))];
    for (const other of all) other.tabIndex = other === next ? 0 : -1;
    next.focus();
  } else if (event.key === "Enter" || event.key === " ") {
    event.preventDefault();
    select(row);
  }
}
