// Brushes on the axes of the parallel coordinates, by pointer and by key, and the line that
// the pointer means.

const REACH_PX = 14; // from the pointer to the line it means
const HANDLE_STEPS = 50; // of an axis, for a press of an arrow key

function handle(one, side, value, y) {
  const { axis, scale, x, k } = one;
  const node = svg("path", {
    d: side ? `M${x - 8} ${y - 9}H${x + 8}L${x} ${y}Z` : `M${x - 8} ${y + 9}H${x + 8}L${x} ${y}Z`,
    class: "handle",
    id: `brush-${k}-${side}`,
    role: "slider",
    tabindex: 0,
    "aria-label": `${axis.title}: ${side ? "at most" : "at least"}`,
    "aria-orientation": "vertical",
    "aria-valuemin": scale.low,
    "aria-valuemax": scale.high,
    "aria-valuenow": value,
    "aria-valuetext": words(axis, value),
  });
  node.addEventListener("keydown", (event) => handleKey(event, one, side));
  return node;
}

function handleKey(event, one, side) {
  const { axis, scale } = one;
  const range = [...(rangeOf(axis) || [scale.low, scale.high])];
  const step = axis.kind === "choice" ? 1 / Math.max(1, axis.options.length - 1) : 1 / HANDLE_STEPS;
  const by = {
    ArrowUp: step,
    ArrowRight: step,
    ArrowDown: -step,
    ArrowLeft: -step,
    PageUp: 5 * step,
    PageDown: -5 * step,
  }[event.key];
  if (event.key === "Escape") setRange(one, null);
  else if (event.key === "Home") setRange(one, side ? [range[0], range[0]] : [scale.low, range[1]]);
  else if (event.key === "End") setRange(one, side ? [range[0], scale.high] : [range[1], range[1]]);
  else if (by !== undefined) {
    range[side] = stepped(one, range[side], by);
    setRange(one, side ? [range[0], Math.max(...range)] : [Math.min(...range), range[1]]);
  } else return;
  event.preventDefault();
}

// A step that moves a whole number at least by one.
function stepped({ axis, scale }, value, by) {
  const next = scale.from(scale.to(value) + by);
  const moved = axis.kind === "int" && next === value ? value + Math.sign(by) : next;
  return Math.max(scale.low, Math.min(scale.high, moved));
}

// The whole axis is no brush: trials without a value there count again.
function setRange({ axis, scale }, range) {
  const others = Object.entries(state.ranges).filter(([name]) => name !== axis.name);
  const whole = range === null || (range[0] <= scale.low && range[1] >= scale.high);
  change({ ranges: Object.fromEntries(whole ? others : [...others, [axis.name, range]]) });
}

function startBrush(event, one, touch) {
  event.preventDefault();
  const box = touch.ownerSVGElement.getBoundingClientRect();
  const share = (moved) => Math.max(0, Math.min(1, 1 - (moved.clientY - box.top - PLOT.top) / PLOT.height));
  const from = share(event);
  const drag = (moved) => {
    const [a, b] = [from, share(moved)].sort((p, q) => p - q);
    setRange(one, [one.scale.from(a), one.scale.from(b)]);
  };
  // On the window: the axis itself is drawn anew while the pointer moves.
  const end = (moved) => {
    window.removeEventListener("pointermove", drag);
    window.removeEventListener("pointerup", end);
    window.removeEventListener("pointercancel", end);
    if (Math.abs(share(moved) - from) * PLOT.height < 3) setRange(one, null);
  };
  window.addEventListener("pointermove", drag);
  window.addEventListener("pointerup", end);
  window.addEventListener("pointercancel", end);
}

// The trial whose line is nearest to the pointer, among those inside of the brushes.
function rowUnder(event, picture) {
  const box = picture.getBoundingClientRect();
  const [x, y] = [event.clientX - box.left, event.clientY - box.top];
  const k = Math.floor((x - PLOT.side) / parallelPlot[0].gap);
  if (event.target.classList.contains("touch") || k < 0 || k >= parallelPlot.length - 1) return null;
  const t = (x - parallelPlot[k].x) / parallelPlot[0].gap;
  const mask = brushed();
  const drawn = study().trials.status;
  let best = null;
  let reach = REACH_PX;
  for (const row of rows()) {
    if (!mask[row] || !ORDER.includes(drawn[row])) continue;
    const off = Math.abs(
      heightAt(parallelPlot[k], row) * (1 - t) + heightAt(parallelPlot[k + 1], row) * t - y,
    );
    if (off < reach) [best, reach] = [row, off];
  }
  return best;
}

function tipOf(event, picture) {
  const row = rowUnder(event, picture);
  picture.style.cursor = row === null ? "" : "pointer";
  if (row === null) return hideTip();
  if (!at("tip")) document.body.append(el("div", { id: "tip", class: "tip", "aria-hidden": "true" }));
  const here = study();
  const lines = here.objectives.map((o) => valueWords(o, number(valueAt(o, row))));
  put(
    at("tip"),
    el("b", {}, `trial ${here.trials.number[row]}, ${KINDS[here.trials.status[row]].word}`),
    ...lines.map((line) => el("div", {}, line)),
  );
  const left = Math.min(event.clientX + 14, document.documentElement.clientWidth - 200);
  Object.assign(at("tip").style, { left: `${left}px`, top: `${event.clientY + 14}px`, display: "block" });
}

function hideTip() {
  if (at("tip")) at("tip").style.display = "none";
}
