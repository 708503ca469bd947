"""Each part is named in exactly one place: where it is defined. The rule is in namings.py."""

import ast
from functools import cache

import pytest

from chainrule.ops import OPS, Elementwise
from chainrule.ops.table import Structural
from docs.reference.kinds import KINDS
from tests.laws.namings import definitions, listings
from tests.tree import PACKAGE, short, sources, syntax_tree

PARTS = {name for kind in KINDS.values() for name in kind.registry}

# The words that formulas are written in mean something only here: each has one kernel for each
# backend, one function of 50 digits, and one image of an interval. All other ops have none of them.
MEANINGS = ("backends/", "testing/exact.py", "testing/enclosure.py")
WORDS = {
    name
    for name, op in OPS.items()
    if isinstance(op, Structural) or (isinstance(op, Elementwise) and op.is_primitive)
}

# Where a word that is a part's name has another meaning.
OTHER_MEANINGS = {
    "cli/demo.py": {"accuracy", "digits"},  # keys of what is printed as JSON
    "cli/reporting.py": {"accuracy"},  # a column of the history
    "cli/summary.py": {"accuracy", "mean"},  # a column of the history, the head of a table
    "data/generators.py": {"equal"},  # the name of a class
    "explanation/checking/functions/objective.py": {"mean", "sum"},  # over what a loss is which
    "nn/activations.py": {"threshold"},  # an argument
    "nn/branches.py": {"sum"},  # a choice of how outputs are combined
    "nn/gates.py": {"tanh"},  # torch's word for the approximation
    "nn/losses/likelihoods.py": {"mean", "variance"},  # what outputs are
    "nn/rectifiers.py": {"threshold"},  # an argument
    "optim/adagrad.py": {"sum"},  # torch's name of what is kept
    "optim/cyclic.py": {"cos"},  # torch's word for a way
    "optim/plateau.py": {"abs", "min"},  # torch's words for what is better
    "train/callbacks.py": {"max"},  # Keras's word for what is better
}

# Where a part is listed all the same, and why.
EXCEPTIONS = {
    "__init__.py": dict.fromkeys(
        ("EarlyStopping", "StopOnPlateau"), "loaded on first use, so that the import stays light"
    ),
    "train/__init__.py": dict.fromkeys(("EarlyStopping", "StopOnPlateau"), "the front door"),
    "cli/completion.py": dict.fromkeys(
        ("LogSoftmax", "Sigmoid"), "the last layer that is chosen for what a loss reads"
    ),
    "eager/axes.py": dict.fromkeys(("prod", "sum"), "of integers, as NumPy does"),
    "explanation/checking/functions/meaning.py": dict.fromkeys(
        (
            "BCELoss",
            "CrossEntropyLoss",
            "Identity",
            "MSELoss",
            "QuadraticLoss",
            "ReLU",
            "Sigmoid",
            "Tanh",
        ),
        "what backpropagation is written for most often",
    ),
    "explanation/exercises/setting.py": dict.fromkeys(
        ("LogSoftmax", "Sigmoid"), "the last layer that is chosen for what a loss reads"
    ),
    "explanation/long_sums.py": dict.fromkeys(
        ("add", "mul"), "what a sum of products is, term by term or as arrays"
    ),
    "explanation/tidying.py": dict.fromkeys(
        ("add", "div", "mul", "sub"), "the arithmetic by which constants are gathered for reading"
    ),
    "nn/initializers/gains.py": dict.fromkeys(
        ("leaky_relu", "relu", "selu", "sigmoid", "tanh"), "torch's gains, which are conventions"
    ),
    "nn/positions.py": dict.fromkeys(
        ("gather", "take_along_axis"), "the ops whose integers are checked beside their table"
    ),
    "train/setup.py": {"ReduceLROnPlateau": "the one schedule that watches instead of counting"},
}


def place(path):
    return short(path).removeprefix("src/chainrule/")


@cache
def defined_in(path):
    return set(definitions(syntax_tree(path)))


@cache
def found():
    """{(file, name)} of all listings outside of the files that define the part."""
    return {found for path in sources() for found in found_in(path, syntax_tree(path))}


def found_in(path, tree):
    return {
        (place(path), name) for _, name in listings(tree, PARTS) if name not in defined_in(path)
    }


def allowed(file, name):
    if name in OTHER_MEANINGS.get(file, ()) or name in EXCEPTIONS.get(file, {}):
        return True
    return name in WORDS and file.startswith(MEANINGS)


@pytest.mark.parametrize("kind", KINDS)
def test_every_part_is_defined_in_one_file(kind):
    defined = {}
    for path in sources():
        for name in defined_in(path):
            defined.setdefault(name, []).append(place(path))
    room = {"ops": "ops/"}.get(kind, "")
    for name in KINDS[kind].registry:
        homes = [file for file in defined.get(name, []) if file.startswith(room)]
        # A kernel is registered under its op's name; an initialiser may share a name with an op.
        homes = [file for file in homes if room or not file.startswith(("ops/", "backends/"))]
        assert len(homes) == 1, (name, homes)


def test_no_part_is_listed_in_a_second_place():
    second = sorted((file, name) for file, name in found() if not allowed(file, name))
    assert not second, (
        "Each of these is one more place to edit when a part is added: read the registry instead"
    )


def test_exceptions_are_still_there():
    unused = [
        (file, name)
        for table in (OTHER_MEANINGS, EXCEPTIONS)
        for file, names in table.items()
        for name in names
        if (file, name) not in found()
    ]
    assert not unused


# --- the rule itself ------------------------------------------------------------------------------

LISTED = [
    "NAMES = ['Adam', 'SGD']",
    "CLASSES = (Adam, SGD)",
    "DEFAULTS = {'Adam': 1e-3}",
    "MADE = {'momentum': Adam}",
    "if name == 'Adam': lr = 1",
    "if name in ('SGD', 'Adam'): lr = 1",
    "if type(x) is Adam: lr = 1",
    "match name:\n    case 'Adam':\n        lr = 1",
    "Best = Adam",
    "from chainrule.optim.adam import Adam as Adam",
    "__all__ = ['Adam']",
    "f(choices=['Adam', 'SGD'])",
]
USED = [
    "optimizer = Adam(lr=1)",
    "optimizer = optim.Adam(lr=1)",
    "y = apply('Adam', x)",
    "class Better(Adam): pass",
    "from chainrule.optim.adam import Adam",
    "isinstance(x, Adam)",
    "isinstance(x, (Adam, SGD))",
    "def f(x: Adam | None) -> dict[str, Adam]: ...",
    "x: Literal['Adam', 'SGD']",
    "class Plan:\n    optimizer: Adam",
    "fit(optimizers=['Adam'])",
    "OPTIMIZER = {'name': 'Adam', 'lr': 1}",
    "found = node.op == 'Adam'",
    "'''Adam and SGD.'''",
    "x = 1  # ['Adam', 'SGD']",
    "def f():\n    '''Like ['Adam', 'SGD'].'''",
    "text = 'Adam, the optimizer'",
]


@pytest.mark.parametrize("code", LISTED)
def test_a_second_naming_is_found(code):
    assert "Adam" in {name for _, name in listings(ast.parse(code), {"Adam"})}


@pytest.mark.parametrize("code", USED)
def test_a_use_is_no_second_naming(code):
    assert not list(listings(ast.parse(code), {"Adam"}))


def test_a_second_naming_in_the_package_would_be_found():
    path = PACKAGE / "train" / "fit.py"
    planted = ast.parse(path.read_text("utf-8") + "\nFAVOURITES = ['Adam', 'relu', 'MSELoss']\n")
    names = {("train/fit.py", name) for name in ("Adam", "relu", "MSELoss")}
    assert names <= found_in(path, planted)
    assert not any(allowed(*each) for each in names)


@pytest.mark.parametrize(
    ("code", "names"),
    [
        ("@OPTIMIZERS.register('Adam')\nclass Adam: pass", {"Adam"}),
        ("EXP = primitive('exp', samples=(1,))", {"exp"}),
        ("A, B = (primitive(n, notation=s) for n, s in (('a', '+'), ('b', '-')))", {"a", "b"}),
        ("BITWISE_AND = _of_bits('bitwise_and', '&')", {"bitwise_and"}),
        ("class Sum(Op):\n    name: ClassVar[str] = 'sum'", {"sum"}),
        ("y = apply('exp', x)", set()),
    ],
)
def test_definitions_are_found(code, names):
    assert names <= set(definitions(ast.parse(code)))
    assert names or not set(definitions(ast.parse(code)))
