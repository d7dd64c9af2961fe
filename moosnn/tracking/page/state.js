// What is looked at: ONE object, and the views that are functions of it. Knows which view
// depends on what; must not know what any of them draws.

const state = {
  study: 0, // index of the study that is shown
  selected: null, // row of the trial that is looked at, or null
  byHand: false, // whether somebody selected it, rather than the page itself
  ranges: {}, // name of an axis of the parallel coordinates -> [low, high]
  reference: [], // of the hypervolume, natural units, a number an objective
  axis: "trials", // what the hypervolume is drawn against: "trials" or "time"
  pair: [1, 0], // the objectives across and upwards
  tested: false, // whether test values are drawn beside validation values
  sort: { column: 0, up: true }, // of the table of members
  target: { slices: 0, maps: 0 }, // of the models
  map: 0, // which two parameters
};

const views = [];

// How far below the screen a view is drawn already, in pixels.
const NEAR_PX = 600;

// Registers a view: `draw()` is called when one of `keys` of the state changed and the
// host is near the screen, or else when it comes near or the browser has nothing to do.
function view(host, keys, draw) {
  const entry = { host, keys, draw, stale: true, near: false };
  views.push(entry);
  return entry;
}

function change(patch) {
  Object.assign(state, patch);
  const keys = Object.keys(patch);
  for (const entry of views) {
    if (entry.keys.some((key) => keys.includes(key))) entry.stale = true;
  }
  noteWhetherDrawn();
  plan();
}

let planned = false;

function plan() {
  if (planned) return;
  planned = true;
  // A timer stands in where frames are held back, as in a tab that nobody looks at.
  const frame = requestAnimationFrame(run);
  const timer = setTimeout(run, 200);
  function run() {
    cancelAnimationFrame(frame);
    clearTimeout(timer);
    planned = false;
    drawNear();
    drawLater();
  }
}

function drawNear() {
  for (const entry of views) if (entry.near && entry.stale) drawNow(entry);
}

function drawNow(entry) {
  entry.stale = false;
  try {
    entry.draw();
  } catch (error) {
    // One view that cannot be drawn must not take the others with it.
    reportError(error);
  }
  noteWhetherDrawn();
}

// For whoever waits for the whole page: a printer, a test.
function noteWhetherDrawn() {
  document.documentElement.dataset.whole = String(!views.some((entry) => entry.stale));
}

// What is far away is drawn one view at a time, so that scrolling and typing stay smooth.
let idle = false;

function drawLater() {
  if (idle || !views.some((entry) => entry.stale)) return;
  idle = true;
  whenIdle(() => {
    idle = false;
    const next = views.find((entry) => entry.stale);
    if (next) drawNow(next);
    drawLater();
  });
}

function whenIdle(work) {
  if (window.requestIdleCallback) requestIdleCallback(work, { timeout: 150 });
  else setTimeout(work, 20);
}

// Everything at once, for printing.
function drawAll() {
  for (const entry of views) if (entry.stale) drawNow(entry);
}

function redrawAll() {
  for (const entry of views) entry.stale = true;
  plan();
}

function watchViews() {
  const seen = new IntersectionObserver(
    (changes) => {
      for (const found of changes) {
        for (const entry of views) if (entry.host === found.target) entry.near = found.isIntersecting;
      }
      drawNear();
    },
    { rootMargin: `${NEAR_PX}px` },
  );
  for (const host of new Set(views.map((entry) => entry.host))) seen.observe(host);
}
