"use strict";
// Elements, words and numbers. Knows the browser; must not know what a study is.

const SVG = "http://www.w3.org/2000/svg";
const NOTHING = "–";

// An element. Text is only ever set as text, so that no name becomes markup.
function el(tag, attributes = {}, ...children) {
  return filled(document.createElement(tag), attributes, children);
}

function svg(tag, attributes = {}, ...children) {
  return filled(document.createElementNS(SVG, tag), attributes, children);
}

function filled(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined));
  return node;
}

function at(id) {
  return document.getElementById(id);
}

// Replaces what an element holds. Focus stays with the element of the same id.
function put(host, ...children) {
  const focused = host.contains(document.activeElement) ? document.activeElement.id : "";
  host.replaceChildren(...children.flat(Infinity).filter((child) => child !== null && child !== undefined));
  if (focused && at(focused)) at(focused).focus({ preventScroll: true });
}

// The sentence in the place of a chart that has nothing to show.
function empty(text) {
  return el("p", { class: "empty" }, text);
}

const SUPERSCRIPTS = "⁰¹²³⁴⁵⁶⁷⁸⁹";

function raised(exponent) {
  const digits = String(Math.abs(exponent)).replace(/\d/g, (d) => SUPERSCRIPTS[d]);
  return (exponent < 0 ? "⁻" : "") + digits;
}

// A number for reading: few digits, no exponent where people would not write one.
function number(value, digits = 4) {
  if (value === null || value === undefined) return NOTHING;
  if (typeof value === "boolean") return value ? "true" : "false";
  if (typeof value !== "number") return String(value);
  if (Number.isInteger(value) && Math.abs(value) < 1e6) return minus(String(value));
  const size = Math.abs(value);
  if (size !== 0 && (size < 1e-3 || size >= 1e6)) {
    const [mantissa, exponent] = value.toExponential(Math.min(digits, 3) - 1).split("e");
    return minus(`${Number(mantissa)}×10${raised(Number(exponent))}`);
  }
  return minus(String(Number(value.toPrecision(digits))));
}

// As `number`, for a column: the same number of decimals, so that points lie below points.
function decimals(value, places) {
  return value === null || value === undefined ? NOTHING : minus(value.toFixed(places));
}

function minus(text) {
  return text.replace(/^-/, "−");
}

// How many decimals tell values apart to about three digits of the largest.
function placesFor(values) {
  const largest = Math.max(...values.filter((v) => v !== null && v !== undefined).map(Math.abs), 0);
  if (largest === 0 || values.every((v) => v === null || v === undefined || Number.isInteger(v))) return 0;
  return Math.max(0, Math.min(6, 2 - Math.floor(Math.log10(largest))));
}

function seconds(value) {
  if (value === null || value === undefined) return NOTHING;
  if (value < 60) return `${number(value, 3)} s`;
  if (value < 3600) return `${Math.floor(value / 60)} min ${Math.round(value % 60)} s`;
  if (value < 86400) return `${Math.floor(value / 3600)} h ${Math.round((value % 3600) / 60)} min`;
  return `${number(value / 86400, 3)} days`;
}

function percent(share) {
  return share === null || share === undefined ? NOTHING : `${number(100 * share, 3)} %`;
}

function many(count, one, more = `${one}s`) {
  return `${count} ${count === 1 ? one : more}`;
}

function listed(words) {
  if (words.length < 2) return words.join("");
  return `${words.slice(0, -1).join(", ")} and ${words[words.length - 1]}`;
}

// Plotly reads tags and entities in its texts: foreign text must not hold any.
function safe(text) {
  return String(text).replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");
}

function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

function mean(values) {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

// Up to `most` of `count` positions, spread evenly, the ends among them.
function evenly(count, most) {
  if (count <= most) return Array.from({ length: count }, (_, k) => k);
  return Array.from({ length: most }, (_, k) => Math.round((k * (count - 1)) / (most - 1)));
}

// A choice of one option, with its label: `options` are [value, text] pairs.
function chooser(id, label, options, value, change) {
  const select = el(
    "select",
    { id, onchange: (event) => change(event.target.value) },
    options.map(([key, text]) => el("option", { value: key, selected: String(key) === String(value) }, text)),
  );
  return el("label", { class: "field", for: id }, el("span", {}, label), select);
}

// A table that scrolls by itself where it is wider than the screen. `heads`: a word a
// column, those in `left` (the first one, if it is not said) at its left.
function table(told, heads, lines, more = {}) {
  const { left = [0], ...attributes } = more;
  const head = heads.map((word, k) =>
    el("th", { scope: "col", class: left.includes(k) ? "left" : "" }, word),
  );
  return el(
    "div",
    { class: "wide", role: "region", tabindex: 0, "aria-label": told },
    el("table", attributes, el("thead", {}, el("tr", {}, head)), el("tbody", {}, lines)),
  );
}

// What colours mean: [name of the colour, words] pairs.
function legend(entries, shape = "block") {
  return entries.map(([paint, text]) =>
    el("span", {}, el("i", { class: shape, style: `background:var(${paint})` }), ` ${text}`),
  );
}

function button(text, press, attributes = {}) {
  return el("button", { type: "button", onclick: press, ...attributes }, text);
}

// Tells what changed to those who do not see it.
function tell(text) {
  at("told").textContent = text;
}
