"""Read formulas back: MathML as Python, and expressions as numbers of 50 digits.

This is the oracle of what a page shows: it knows how mathematics is read, and nothing of how it
was written.
"""

import re
from dataclasses import dataclass
from typing import Any
from xml.etree import ElementTree as ET

from chainrule.ops import OPS, Elementwise
from chainrule.ops.expression import Literal, Symbol, read
from chainrule.testing.exact import context, exact_function

OPERATORS = {
    "·": "*", "−": "-", "≤": "<=", "≥": ">=", "=": "==", "≠": "!=", "∧": " and ", "∨": " or ",
    "⊻": "^", "⊕": "^", "¬": " not ", "mod": "%", "\N{FUNCTION APPLICATION}": "",
    "⌊": "floor(", "⌋": ")", "⌈": "ceil(", "⌉": ")", "{": "",
}  # fmt: skip


def python_of(markup):
    """A Python expression that says what MathML shows."""
    return _python(ET.fromstring(f"<math>{markup}</math>"))


def _python(element):
    parts = list(element)
    text = element.text or ""
    match element.tag:
        case "mn":
            return f"number('{text}')"
        case "mi":
            name = re.sub(r"\W", "_", text.replace("′", "_new"))
            return "inf" if text == "∞" else f"_{name}" if name[0].isdigit() else name
        case "mtext":
            return text if element.get("class") == "option" else ""
        case "mo" if text == "|":
            return "abs(" if element.get("form") == "prefix" else ")"
        case "mo":
            return OPERATORS.get(text, text)
        case "mfrac":
            return "(({})/({}))".format(*map(_python, parts))
        case "msup":
            return "(({})**({}))".format(*map(_python, parts))
        case "msqrt":
            return f"sqrt({_python(parts[0])})"
        case "msub":
            below = "".join(parts[1].itertext()).replace(",", "_")
            return f"{_python(parts[0])}_{below}"
        case "mtable":
            return _choice([[_python(cell) for cell in row] for row in parts])
    return "".join(map(_python, parts))


def _choice(rows):
    *cases, (last, _) = rows
    for value, when in reversed(cases):
        last = f"(({value}) if ({when}) else ({last}))"
    return last


def calculate(formula, values):
    """The value of an expression, or of Python text, for these values of its names."""
    if isinstance(formula, str):
        return eval(formula, vocabulary() | exactly(values))  # noqa: S307 - what our printer wrote
    return read(formula, _Numbers(exactly(values)))


def exactly(values):
    return {
        name: context().mpf(float(value)) if isinstance(value, float) else value
        for name, value in values.items()
    }


def vocabulary():
    """What the names in a formula mean."""
    mp = context()
    named = {name: function_of(name) for name, op in OPS.items() if isinstance(op, Elementwise)}
    constants = {"e": mp.e, "inf": mp.inf, "NaN": mp.nan, "true": True, "false": False}
    # A number in the code is a float: 0.1 is what float64 makes of it.
    return named | constants | {"number": lambda text: mp.mpf(float(text))}


def function_of(op):
    """An elementwise op as a function of exact numbers."""
    declaration = OPS.get(op)
    if declaration.is_primitive:
        return exact_function(op)
    return lambda *operands: read(
        declaration.bind({}).value,
        _Numbers(dict(zip(declaration.operands, operands, strict=True))),
    )


@dataclass
class _Numbers:
    values: Any

    def leaf(self, leaf):
        match leaf:
            case Literal(value):
                return context().mpf(value) if isinstance(value, float) else value
            case Symbol(name):
                return self.values[name]
        raise AssertionError(leaf)

    def apply(self, op, arguments, dtype):
        return function_of(op)(*arguments)

    def fold(self, op, items, order):
        return sum(items) if op == "add" else max(items)
