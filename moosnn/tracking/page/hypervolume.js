// The volume that a front dominates, up to a reference point. Knows numbers only: losses,
// which are minimised. The counterpart of moosnn/pareto/hypervolume.py.

// The loss of a value, as moosnn/problem.py has it.
function lossOf(objective, value) {
  const floor =
    objective.floor === null || objective.floor === undefined ? Number.MIN_VALUE : objective.floor;
  const scaled = objective.scale === "log" ? Math.log10(Math.max(value, floor)) : value;
  return objective.goal === "max" ? -scaled : scaled;
}

function lossesOf(objectives, values) {
  return objectives.map((objective, k) => lossOf(objective, values[k]));
}

// Whether `a` is nowhere worse than `b`.
function covers(a, b) {
  for (let k = 0; k < a.length; k++) if (a[k] > b[k]) return false;
  return true;
}

function nonDominated(points) {
  const kept = [];
  for (const point of points) {
    if (kept.some((other) => covers(other, point))) continue;
    for (let k = kept.length - 1; k >= 0; k--) if (covers(point, kept[k])) kept.splice(k, 1);
    kept.push(point);
  }
  return kept;
}

// The exact hypervolume of points, each an array of losses.
function hypervolume(points, reference) {
  const inside = points.filter((point) => point.every((loss, k) => loss < reference[k]));
  return volume(nonDominated(inside), reference);
}

// Of points none of which dominates another one: the WFG recursion (While, Bradstreet and
// Barone, "A fast way of calculating exact hypervolumes", IEEE TEC 16(1), 2012): the volume
// is the sum of what each point adds to those after it.
function volume(points, reference) {
  if (points.length === 0) return 0;
  if (reference.length === 1) return reference[0] - Math.min(...points.map((point) => point[0]));
  if (reference.length === 2) return area(points, reference);
  const last = reference.length - 1;
  const sorted = [...points].sort((a, b) => b[last] - a[last]);
  let sum = 0;
  sorted.forEach((point, k) => (sum += added(point, sorted.slice(k + 1), reference)));
  return sum;
}

// What a point adds to others: its box less what the others dominate of it.
function added(point, others, reference) {
  let box = 1;
  point.forEach((loss, k) => (box *= reference[k] - loss));
  const limited = others.map((other) => other.map((loss, k) => Math.max(loss, point[k])));
  return box - volume(nonDominated(limited), reference);
}

function area(points, reference) {
  const sorted = [...points].sort((a, b) => a[0] - b[0]);
  let sum = 0;
  let top = reference[1];
  for (const [x, y] of sorted) {
    if (y >= top) continue;
    sum += (reference[0] - x) * (top - y);
    top = y;
  }
  return sum;
}

// The hypervolume after each step. A step says that the point `key` now has `losses` (null:
// none). While points only come, a new one costs what it adds; if one changed its place
// (it was measured again) all is computed anew.
function hypervolumeTrace(steps, reference) {
  const known = new Map();
  let front = [];
  let total = 0;
  return steps.map(({ key, losses }) => {
    if (known.has(key)) {
      known.delete(key);
      if (losses) known.set(key, losses);
      const inside = [...known.values()].filter((point) => point.every((loss, k) => loss < reference[k]));
      front = nonDominated(inside);
      total = volume(front, reference);
    } else if (losses) {
      known.set(key, losses);
      const inside = losses.every((loss, k) => loss < reference[k]);
      if (inside && !front.some((other) => covers(other, losses))) {
        total += added(losses, front, reference);
        front = front.filter((other) => !covers(losses, other));
        front.push(losses);
      }
    }
    return total;
  });
}
