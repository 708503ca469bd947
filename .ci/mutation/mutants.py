"""Every way in which one small thing in a file can be changed: cosmic-ray's operators, and ours.

Formulas of ops are written in words (`s.less(a, b)`, `b.max(x, y)`) rather than in Python's signs,
so one operator of our own replaces words as cosmic-ray's replace signs, one swaps the branches of
`select`, and one turns `in` to `not in`. No operator touches a string: neither a docstring, nor a
message, nor a `source=`. Type annotations are left out, since nothing reads them when code runs.
"""

import warnings
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import parso
from cosmic_ray.ast import ast_nodes
from cosmic_ray.mutating import MutationVisitor
from cosmic_ray.operators import (
    binary_operator_replacement,
    boolean_replacer,
    break_continue,
    comparison_operator_replacement,
    exception_replacer,
    number_replacer,
    operator,
    remove_decorator,
    unary_operator_replacement,
    zero_iteration_for_loop,
)

ARITHMETIC = ("Add", "Sub", "Mul", "Div")
SIGNS = (*ARITHMETIC, "FloorDiv", "Mod", "Pow", "RShift", "LShift", "BitOr", "BitAnd", "BitXor")
ORDERS = ("Eq", "NotEq", "Lt", "LtE", "Gt", "GtE")

WORDS = {
    "abs": "neg", "add": "sub", "argmax": "argsort", "cos": "sin", "cosh": "sinh", "div": "mul",
    "equal": "not_equal", "erf": "erfc", "erfc": "erf", "exp": "expm1", "expm1": "exp",
    "greater": "greater_equal", "greater_equal": "greater", "less": "less_equal",
    "less_equal": "less", "log": "log1p", "log1p": "log", "logical_and": "logical_or",
    "logical_or": "logical_and", "max": "min", "min": "max", "mul": "div", "neg": "abs",
    "not_equal": "equal", "shift_left": "shift_right", "shift_right": "shift_left",
    "sigmoid": "tanh", "sign": "abs", "sin": "cos", "sinh": "cosh", "sqrt": "square",
    "square": "sqrt", "sub": "add", "tan": "tanh", "tanh": "tan",
}  # fmt: skip


class InvertMembership(operator.Operator):
    """`a in b` becomes `a not in b`, and back."""

    def mutation_positions(self, node):
        if node.type == "comparison":
            for sign in node.children[1::2]:
                if sign.get_code().split() in (["in"], ["not", "in"]):
                    yield sign.start_pos, sign.end_pos

    def mutate(self, node, index):
        places = [i for i, one in enumerate(node.children) if one.get_code().split()[-1:] == ["in"]]
        place = places[index]
        inverse = " in" if "not" in node.children[place].get_code() else " not in"
        node.children[place] = parso.parse(inverse)
        return node

    @classmethod
    def examples(cls):
        return (operator.Example("a in b", "a not in b"),)


class ReplaceWord(operator.Operator):
    """`s.less(a, b)` becomes `s.less_equal(a, b)`; `apply("add", ...)`, `apply("sub", ...)`."""

    def mutation_positions(self, node):
        sign = {"name": ".", "string": "("}.get(node.type)
        before = node.get_previous_leaf() if sign else None
        if before is not None and before.value == sign and node.value.strip('"') in WORDS:
            yield node.start_pos, node.end_pos

    def mutate(self, node, index):
        word = node.value.strip('"')
        node.value = node.value.replace(word, WORDS[word])
        return node

    @classmethod
    def examples(cls):
        return (operator.Example("s.less(a, b)", "s.less_equal(a, b)"),)


class SwapBranches(operator.Operator):
    """`s.select(c, a, b)` becomes `s.select(c, b, a)`."""

    def mutation_positions(self, node):
        if node.type != "arglist" or len(node.children) < 5:
            return
        function = node.get_previous_leaf().get_previous_leaf()
        named = node.children[0].get_code().strip() == '"select"'
        if named or (function is not None and function.value == "select"):
            yield node.start_pos, node.end_pos

    def mutate(self, node, index):
        arguments = [i for i, child in enumerate(node.children) if child.type != "operator"]
        one, other = arguments[-2:]
        node.children[one], node.children[other] = node.children[other], node.children[one]
        return node

    @classmethod
    def examples(cls):
        return (operator.Example("s.select(c, a, b)", "s.select(c, b, a)"),)


def operators():
    """Name to operator.

    Each sign becomes each of + - * /, each order each other one; -x and `not x` become x. What
    cosmic-ray has beyond (+ to >>, == to `is` ...) is a TypeError, or the same, in this code.
    """
    chosen = [
        boolean_replacer.AddNot(),
        boolean_replacer.ReplaceAndWithOr(),
        boolean_replacer.ReplaceFalseWithTrue(),
        boolean_replacer.ReplaceOrWithAnd(),
        boolean_replacer.ReplaceTrueWithFalse(),
        break_continue.ReplaceBreakWithContinue(),
        break_continue.ReplaceContinueWithBreak(),
        exception_replacer.ExceptionReplacer(),
        number_replacer.NumberReplacer(),
        remove_decorator.RemoveDecorator(),
        zero_iteration_for_loop.ZeroIterationForLoop(),
        InvertMembership(),
        ReplaceWord(),
        SwapBranches(),
    ]
    pairs = [(a, b) for a in SIGNS for b in ARITHMETIC if a != b]
    chosen += named(binary_operator_replacement, "ReplaceBinaryOperator", pairs)
    pairs = [(a, b) for a in ORDERS for b in ORDERS if a != b]
    pairs += [("Is", "IsNot"), ("IsNot", "Is")]
    chosen += named(comparison_operator_replacement, "ReplaceComparisonOperator", pairs)
    pairs = [("Delete", "USub"), ("Delete", "Not"), ("Delete", "Invert")]
    chosen += named(unary_operator_replacement, "ReplaceUnaryOperator", pairs)
    return {type(one).__name__: one for one in chosen}


def named(module, name, pairs):
    classes = {one.__name__: one for one in module.operators()}
    return [classes[f"{name}_{a}_{b}"]() for a, b in pairs]


OPERATORS = operators()


@dataclass(frozen=True)
class Mutant:
    """One change; `of_sample` if it is to a number or a shape that an op is tested on."""

    path: Path
    line: int
    column: int
    operator: str
    occurrence: int
    of_sample: bool

    def __str__(self):
        place = f"{self.path.parent.name}/{self.path.name}:{self.line}:{self.column}"
        return f"{place} {self.operator}#{self.occurrence}"

    @cached_property
    def source(self):
        """The whole file, changed."""
        text = self.path.read_text(encoding="utf-8")
        return MutationVisitor.mutate_code(text, OPERATORS[self.operator], self.occurrence)

    @property
    def difference(self):
        before = self.path.read_text(encoding="utf-8").splitlines()
        changed = zip(before, self.source.splitlines(), strict=False)
        return next(((a.strip(), b.strip()) for a, b in changed if a != b), ("", ""))

    @property
    def compiles(self):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SyntaxWarning)
            try:
                compile(self.source, str(self.path), "exec")
            except SyntaxError:
                return False
        return True


def mutants(path):
    """All mutants of a file, and how many in annotations were left out."""
    tree = parso.parse(path.read_text(encoding="utf-8"))
    of_samples = names_of_samples(tree)
    found, left_out = [], 0
    counts = dict.fromkeys(OPERATORS, -1)
    for node in ast_nodes(tree):
        for name, one in OPERATORS.items():
            for start, _ in one.mutation_positions(node):
                counts[name] += 1
                if is_annotation(node):
                    left_out += 1
                elif not is_mark_of_parameters(node):
                    of_sample = is_of_sample(node, of_samples)
                    found.append(Mutant(path, *start, name, counts[name], of_sample))
    return found, left_out


def around(node):
    while node is not None:
        yield node
        node = node.parent


def is_mark_of_parameters(node):
    """The bare * in `def f(a, *, b)`, which cosmic-ray takes for a product."""
    return node.type == "operator" and node.parent.type in ("parameters", "lambdef", "param")


def is_annotation(node):
    for inner in around(node):
        outer = inner.parent
        kind = outer.type if outer is not None else ""
        if (
            (kind == "annassign" and inner is outer.children[1])
            or (kind == "tfpdef" and inner is outer.children[2])
            or (kind == "funcdef" and inner is outer.annotation)
        ):
            return True
    return False


def is_argument_of_samples(node):
    names = ("samples", "bad_samples")
    return node.type == "argument" and node.children[0].get_code().strip() in names


def statement_name(node):
    """The name that the module's assignment around a node defines."""
    for inner in around(node):
        outer = inner.parent
        if inner.type == "expr_stmt" and outer.parent.type == "file_input":
            return inner.children[0].get_code().strip()
    return None


def names_of_samples(tree):
    """The module's private names that nothing but samples use."""
    uses = {}
    for node in ast_nodes(tree):
        if node.type == "name":
            uses.setdefault(node.value, []).append(node)
    names = {
        name
        for name, nodes in uses.items()
        if name.startswith("_") and statement_name(nodes[0]) == name
    }
    while True:
        kept = {name for name in names if all(is_of_sample(use, names) for use in uses[name][1:])}
        if kept == names:
            return names
        names = kept


def is_of_sample(node, names):
    return any(map(is_argument_of_samples, around(node))) or statement_name(node) in names
