"use strict";

// The step as data: nodes with their numbers, and how each number is called and written.

const step = JSON.parse(document.getElementById("content").textContent);
const nodes = step.nodes;
const positions = new Map(nodes.map((node, i) => [node.name, i]));

const ARRAYS = {
  f32: Float32Array, f64: Float64Array, i32: Int32Array, i64: BigInt64Array, u32: Uint32Array,
  bool: Uint8Array,
};
const UNIT = { f32: 2 ** -24, f64: 2 ** -53 }; // half the distance of 1 to the next number

function sizeOf(node) {
  return node.shape.reduce((a, b) => a * b, 1);
}

function decoded(text, dtype) {
  return new ARRAYS[dtype](Uint8Array.from(atob(text), (c) => c.charCodeAt(0)).buffer);
}

/** The numbers of a node; of one that only moves them, put where they go. */
function arrayOf(position) {
  const node = nodes[position];
  if (node.array) return node.array;
  if (node.values !== undefined) {
    node.array = decoded(node.values, node.dtype);
  } else {
    node.array = Array.from({ length: sizeOf(node) }, (_, at) => {
      const [place] = operandsAt(node, variablesAt(node, at));
      return arrayOf(place.node)[place.at];
    });
  }
  return node.array;
}

/** Of a value that is not held whole, its numbers that are: where they are, and what they are. */
function someOf(node) {
  if (node.some && !node.some.places) {
    node.some.places = decoded(node.some.at, "u32");
    node.some.numbers = decoded(node.some.values, node.dtype);
  }
  return node.some;
}

/** A number as it is stored; undefined where the page does not hold it. */
function stored(place) {
  const node = nodes[place.node];
  const some = someOf(node);
  if (some) return some.numbers[slotOf(some.places, place.at)];
  if (node.values === undefined && isMove(node)) return stored(operandsAt(node, variablesAt(node, place.at))[0]);
  return arrayOf(place.node)[place.at];
}

/** Where a number stands among ascending ones; -1: nowhere. */
function slotOf(places, at) {
  let [low, high] = [0, places.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (places[middle] < at) low = middle + 1;
    else high = middle;
  }
  return places[low] === at ? low : -1;
}

function holds(place) {
  return stored(place) !== undefined;
}

/** Whether all numbers of a node are in the page. */
function isWhole(position) {
  const node = nodes[position];
  return !node.some && (node.values !== undefined || !isMove(node) || isWhole(node.inputs[node.form.operands[0][0]]));
}

/** The numbers of a node that are in the page, as [offset, number]. */
function heldIn(position) {
  const some = someOf(nodes[position]);
  if (some) return Array.from(some.places, (at, i) => [at, some.numbers[i]]);
  return isWhole(position) ? Array.from(arrayOf(position), (value, at) => [at, value]) : [];
}

function valueOf(place) {
  const value = stored(place);
  return value === undefined ? NaN : Number(value);
}

// --- indices ---

function indexOf(shape, at) {
  const index = new Array(shape.length);
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    index[axis] = at % shape[axis];
    at = Math.floor(at / shape[axis]);
  }
  return index;
}

function offsetOf(shape, index) {
  return index.reduce((at, i, axis) => at * shape[axis] + i, 0);
}

/** constant + Σ coefficient·variable: an affine function, as it stands in the data. */
function affine(axis, variables) {
  let value = axis[0];
  for (let v = 1; v < axis.length; v++) value += axis[v] ? axis[v] * variables[v - 1] : 0;
  return value;
}

function variablesAt(node, at) {
  return indexOf(node.shape, at);
}

/** Where the operands' elements are, when the variables of the form have these values. */
function operandsAt(node, variables) {
  return node.form.operands.map(([input, axes]) => {
    const operand = node.inputs[input];
    const index = axes.map((axis) => affine(axis, variables));
    return { node: operand, at: offsetOf(nodes[operand].shape, index) };
  });
}

function isMove(node) {
  return node.form !== undefined && !node.form.op && !node.form.fold;
}

// --- names ---

const HOLE = /[\uE000-\uE00F]/g;

/** How a number is called: {name, of, other}; `index` in numbers or letters. */
function symbolOf(position, index) {
  const node = nodes[position];
  const isNumber = index.every((i) => typeof i === "number");
  const own = isNumber && node.own && node.own[offsetOf(node.shape, index)];
  if (own) return own;
  const fill = (text) => text && text.replace(HOLE, (hole) => index[hole.charCodeAt(0) - 0xe000]);
  return { name: fill(node.symbol.name), of: node.symbol.of, other: fill(node.symbol.other) };
}

function symbolAt(place) {
  return symbolOf(place.node, indexOf(nodes[place.node].shape, place.at));
}

/** The symbol of a whole node: without an index. */
function symbolOfNode(position) {
  const { name, of, other } = nodes[position].symbol;
  const bare = (text) => text && text.replace(/\[[^\]]*[\uE000-\uE00F][^\]]*\]/, "");
  return { name: bare(name), of, other: bare(other) };
}

function written(symbol) {
  if (symbol.of === "next") return `${symbol.name}⁺`;
  if (symbol.of === "value") return symbol.name;
  return `∂${symbol.other}/∂${symbol.name}`;
}

/** The name by which a number is opened, here and in Python. */
function nameOf(place) {
  const node = nodes[place.node];
  return node.shape.length ? `${node.name}[${indexOf(node.shape, place.at)}]` : node.name;
}

const ownNames = new Map();
nodes.forEach((node, position) => {
  for (const [at, own] of Object.entries(node.own ?? {})) {
    const text = written(own);
    if (!ownNames.has(text)) ownNames.set(text, { node: position, at: Number(at) });
  }
  const whole = written(symbolOfNode(position));
  if (!positions.has(whole)) positions.set(whole, position);
});

/** Find a number, {node, at}, or a whole node, {node}, by what a person writes; null if none. */
function find(text) {
  text = text.trim();
  if (ownNames.has(text)) return ownNames.get(text);
  if (positions.has(text)) {
    const node = positions.get(text);
    return nodes[node].shape.length ? { node } : { node, at: 0 };
  }
  const match = /^(.+)\[\s*(\d+(?:\s*,\s*\d+)*)\s*\]$/.exec(text);
  if (!match || !positions.has(match[1])) return null;
  const node = positions.get(match[1]);
  const shape = nodes[node].shape;
  let index = match[2].split(",").map(Number);
  if (index.length === shape.length - 1 && shape[0] === 1) index = [0, ...index];
  if (index.length !== shape.length || index.some((i, axis) => i >= shape[axis])) return null;
  return { node, at: offsetOf(shape, index) };
}

// --- numbers as they are read ---

/** With so many significant digits, as short as that is; no exponent where it reads well without. */
function digits(value, significant = 9) {
  if (Number.isNaN(value)) return "NaN";
  if (!Number.isFinite(value)) return value < 0 ? "−∞" : "∞";
  if (value === 0) return Object.is(value, -0) ? "−0" : "0";
  const size = Math.floor(Math.log10(Math.abs(value)));
  let text;
  if (size < -5 || size >= Math.max(significant, 9)) {
    const [mantissa, power] = value.toExponential(significant - 1).split("e");
    text = `${trimmed(mantissa)}e${Number(power)}`;
  } else {
    text = trimmed(Number(value.toPrecision(significant)).toFixed(Math.max(0, significant - 1 - size)));
  }
  return text.replaceAll("-", "−");
}

function trimmed(text) {
  return text.includes(".") ? text.replace(/\.?0+$/, "") : text;
}

/** A number of a formula, as it was typed, where it was rounded to float32 since. */
function literal(value) {
  for (let significant = 1; significant <= 9; significant++) {
    const short = Number(value.toPrecision(significant));
    if (Math.fround(short) === value || short === value) return digits(short, 9);
  }
  return digits(value);
}

function shown(place, significant = 9) {
  if (!holds(place)) return "not in this page";
  const value = valueOf(place);
  if (nodes[place.node].dtype === "bool") return value ? "true" : "false";
  return digits(value, significant);
}

/** The sum of numbers, rounded once   [Shewchuk 1997]. */
function exactSum(values) {
  if (!values.every(Number.isFinite)) return values.reduce((a, b) => a + b, 0);
  const partials = [];
  for (let x of values) {
    let kept = 0;
    for (let y of partials) {
      if (Math.abs(x) < Math.abs(y)) [x, y] = [y, x];
      const high = x + y;
      const low = y - (high - x);
      if (low) partials[kept++] = low;
      x = high;
    }
    partials.length = kept;
    partials.push(x);
  }
  return partials.reduceRight((a, b) => a + b, 0);
}
