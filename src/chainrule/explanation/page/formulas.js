// Formulas as MathML, laid out by each op's notation, which stands in the data.

const MATHML = "http://www.w3.org/1998/Math/MathML";
const SVG = "http://www.w3.org/2000/svg";
const ATOM = 100, POWER = 50, FRACTION = 45, SUM = 20;

/** Make an element: attributes, then children; text is only ever text. */
function made(namespace, tag, attributes, children) {
  const element = namespace ? document.createElementNS(namespace, tag) : document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value != null) element.setAttribute(name, value);
  }
  element.append(...children.flat(Infinity).filter((child) => child != null));
  return element;
}

const h = (tag, attributes = {}, ...children) => made(null, tag, attributes, children);
const m = (tag, ...children) => made(MATHML, tag, {}, children);
const ma = (tag, attributes, ...children) => made(MATHML, tag, attributes, children);

const operator = (text) => ma("mo", { form: "infix" }, text);
const minus = () => ma("mo", { form: "prefix" }, "−");
const applied = () => m("mo", "\u2061");
const fence = (text, form) => ma("mo", { fence: "true", stretchy: "true", form }, text);
const parenthesized = (...inner) => m("mrow", fence("(", "prefix"), inner, fence(")", "postfix"));

// --- leaves ---

/** A number as it is read, with a power of ten set as one. */
function numberMath(text) {
  const negative = text.startsWith("−");
  const [mantissa, power] = (negative ? text.slice(1) : text).split("e");
  const size = mantissa === "∞" ? m("mi", "∞") : m("mn", mantissa);
  const whole = power === undefined ? size : m("mrow", size, operator("·"),
    m("msup", m("mn", "10"), m("mrow", power.startsWith("-") ? [minus(), m("mn", power.slice(1))]
      : m("mn", power))));
  return negative ? m("mrow", minus(), whole) : whole;
}

/** A name: letters with what follows them below, an index in brackets. */
function nameMath(name) {
  const [, base, index] = /^(.*?)(?:\[([^\]]*)\])?$/su.exec(name);
  const split = /^(\p{L}+)(?:_(\w+)|(\d+))$/u.exec(base);
  const letters = split
    ? m("msub", m("mi", split[1]), split[3] ? m("mn", split[3]) : m("mi", split[2]))
    : /^\p{L}+$/u.test(base) ? m("mi", base) : m("mtext", base);
  if (index === undefined) return letters;
  const parts = index.split(",").map((i) => m(/^\d+$/.test(i) ? "mn" : "mi", i));
  const row = parts.flatMap((part, i) => (i ? [operator(","), part] : [part]));
  return m("mrow", letters, ma("mo", { form: "prefix", stretchy: "false" }, "["), row,
    ma("mo", { form: "postfix", stretchy: "false" }, "]"));
}

function symbolMath(symbol) {
  if (symbol.of === "value") return nameMath(symbol.name);
  if (symbol.of === "next") return m("msup", m("mrow", nameMath(symbol.name)), m("mo", "+"));
  return m("mfrac", m("mrow", m("mi", "∂"), nameMath(symbol.other)),
    m("mrow", m("mi", "∂"), nameMath(symbol.name)));
}

// --- expressions ---

/** How leaves are written: names, or numbers of so many digits; letters of a rule. */
function writer({ numbers = 0, letters = [], index = [] } = {}) {
  const leaf = (part) => {
    if (part.number) {
      const place = part.number;
      const text = numbers ? shown(place, numbers) : "";
      const inner = numbers ? numberMath(text) : symbolMath(symbolAt(place));
      const markup = ma("mrow", { class: "number", "data-open": nameOf(place) }, inner);
      const signed = text.startsWith("−");
      return { markup: [markup], precedence: signed ? SUM : ATOM, signed };
    }
    if (part.slot !== undefined) {
      const where = part.axes.map((axis) => affineText(axis, letters, index));
      return { markup: [symbolMath(symbolOf(part.slot, where))], precedence: ATOM };
    }
    if (part.symbol !== undefined) return { markup: [nameMath(part.symbol)], precedence: ATOM };
    if (part.figure !== undefined) {
      const figure = digits(part.figure);
      const minus_ = figure.startsWith("−");
      return { markup: [numberMath(figure)], precedence: minus_ ? SUM : ATOM, signed: minus_ };
    }
    const text = typeof part.literal === "boolean" ? String(part.literal) : literal(part.literal);
    const signed = text.startsWith("−");
    return { markup: [numberMath(text)], precedence: signed ? SUM : ATOM, signed };
  };

  const write = (part) => {
    if (part.items) return writtenSum(part);
    if (!part.args) return leaf(part);
    const args = part.args.map(write);
    const outer = step.ops[part.op];
    if (!outer || outer.arity !== args.length) return functionMath(part.op, args);
    if (outer.pieces[0][0] === "otherwise") return casesMath(outer.pieces[0], args);
    const markup = rowed(outer.pieces, args, outer);
    const [kind, first] = outer.pieces[0];
    let { precedence } = outer;
    if (outer.pieces.length === 1) {
      precedence = { root: ATOM, exponential: POWER, below: FRACTION }[kind] ?? precedence;
    }
    const signed = kind === "argument"
      ? args[first].signed && !needsParentheses(outer, first, args[first])
      : kind === "operator" && first === "-";
    return { markup, precedence, signed };
  };

  const writtenSum = (part) => {
    const items = part.items.map(write);
    if (part.over) {
      const sign = part.sum === "add" ? ma("mo", { movablelimits: "false" }, "∑") : m("mo", part.sum);
      const below = part.over.split(", ").flatMap((l, i) => [i ? operator(",") : null, m("mi", l)]);
      const [item] = items;
      const body = item.precedence <= SUM ? [parenthesized(item.markup)] : item.markup;
      return { markup: [m("munder", sign, m("mrow", below)), ...body], precedence: SUM };
    }
    if (part.sum !== "add") return functionMath(part.sum, items);
    const markup = items.flatMap((item, i) => {
      const enclosed = item.precedence < SUM || (item.signed && i);
      return [i ? operator("+") : [], enclosed ? parenthesized(item.markup) : item.markup].flat();
    });
    return { markup, precedence: SUM, signed: items[0].signed };
  };

  return write;
}

function functionMath(name, args) {
  const inner = args.flatMap((arg, i) => [i ? operator(",") : [], m("mrow", arg.markup)].flat());
  return { markup: [m("mi", name), applied(), parenthesized(inner)], precedence: ATOM };
}

function casesMath([, then, condition, otherwise], args) {
  const rows = [[args[then].markup, [m("mtext", "if\u00a0"), ...args[condition].markup]],
    ...(args[otherwise].cases ?? [[args[otherwise].markup, [m("mtext", "otherwise")]]])];
  const table = m("mtable", rows.map(([value, when]) =>
    m("mtr", m("mtd", m("mrow", clone(value))), m("mtd", m("mrow", clone(when))))));
  return { markup: [m("mrow", fence("{", "prefix"), table)], precedence: 0, cases: rows };
}

const clone = (markup) => markup.map((each) => each.cloneNode(true));

/** The pieces of a notation with the arguments in them; what a fence opens is a row of its own. */
function rowed(pieces, args, outer) {
  const rows = [[]];
  for (const piece of pieces) {
    const [kind, text] = piece;
    if (kind === "open") rows.push([fence(text, "prefix")]);
    else if (kind === "close" && rows.length > 1) {
      const row = m("mrow", rows.pop(), fence(text, "postfix"));
      rows.at(-1).push(row);
    } else rows.at(-1).push(...pieceMath(piece, args, outer, rows.at(-1).length === 0));
  }
  return rows.flat();
}

function pieceMath([kind, a, b], args, outer, first) {
  const whole = (i) => m("mrow", args[i].markup);
  const enclosed = (i) =>
    needsParentheses(outer, i, args[i]) ? [parenthesized(args[i].markup)] : args[i].markup;
  switch (kind) {
    case "root": return [m("msqrt", whole(a))];
    case "exponential": return [m("msup", m("mi", "e"), whole(a))];
    case "exponent": return [m("msup", m("mrow", enclosed(a)), whole(b))];
    case "squared": return [m("msup", m("mrow", enclosed(a)), m("mn", "2"))];
    case "below": return [m("mfrac", whole(a), whole(b))];
    case "argument": return enclosed(a);
    case "function": return [m("mi", a), applied()];
    case "word": return [ma("mo", { lspace: "0.3em", rspace: "0.3em" }, a)];
    case "number": return [m("mn", String(a))];
  }
  return [a === "-" ? (first ? minus() : operator("−")) : operator(a)];
}

/** As `chainrule.ops.notation.needs_parentheses`. */
function needsParentheses(outer, position, { precedence, signed = false }) {
  if (outer.precedence === ATOM) return false;
  const secondSign = signed && position > 0 && outer.precedence >= SUM;
  if (precedence !== outer.precedence) return precedence < outer.precedence || secondSign;
  if (["{0} + {1}", "{0}·{1}"].includes(outer.notation)) return secondSign;
  return position > 0 || !/^\{0\}[^^]+\{1\}$/.test(outer.notation);
}

/** An index that is an affine function: of letters, or, where they are given, of numbers. */
function affineText(axis, letters, index) {
  let constant = axis[0];
  const parts = [];
  for (let v = 1; v < axis.length; v++) {
    if (!axis[v]) continue;
    if (v <= index.length) constant += axis[v] * index[v - 1];
    else parts.push(axis[v] === 1 ? letters[v - 1] : `${axis[v]}${letters[v - 1]}`);
  }
  if (!parts.length) return constant;
  return [...parts, ...(constant ? [constant] : [])].join(" + ").replaceAll("+ -", "− ");
}

// --- formulas in a text, which may be broken between terms and between factors ---

function mathOf(...markup) {
  return ma("math", { displaystyle: "true" }, markup);
}

/** A formula as pieces of MathML with places for line breaks between them. */
function formula(part, options) {
  const write = writer(options);
  const pieces = [];
  const terms = writtenTerms(part);
  terms.forEach((term, i) => {
    const negative = term.op === "neg" && i > 0;
    const inner = negative ? term.args[0] : term;
    const sign = i ? operator(negative ? "−" : "+") : null;
    const factored = inner.op === "mul" ? factors(inner) : [inner];
    const parts = factored.map((factor, j) => {
      const written = write(factor);
      const enclosed = factored.length > 1 ? needsParentheses(step.ops.mul, j, written)
        : terms.length > 1 && (written.precedence < SUM || (written.signed && i > 0));
      return enclosed ? [parenthesized(written.markup)] : written.markup;
    });
    parts.forEach((markup, j) =>
      pieces.push(mathOf(j ? operator("·") : sign, markup)));
  });
  return h("span", { class: "formula" }, pieces.flatMap((piece) => [piece, document.createElement("wbr")]));
}
