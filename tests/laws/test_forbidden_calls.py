"""Things that no file of the package may do, found in its syntax rather than its text."""

import ast

import pytest

from tests.tree import PACKAGE, dotted, imported_modules, module_name, sources, syntax_tree

# "chainrule.room.module": why this one may.
MAY_RUN_CODE = {
    "chainrule": "the front door imports its own rooms, on first use, by names it lists itself",
}
MAY_BE_RANDOM = {
    "chainrule.explanation.checking.functions.generators": "watches those of learners; draws none",
}

# Loading any of these formats can run code of the file's choice.
RUNS_CODE_FROM_FILES = {"cloudpickle", "dill", "joblib", "marshal", "pickle", "shelve"}
RUNS_CODE_FROM_TEXT = {"eval", "exec", "compile", "__import__", "builtins.eval", "builtins.exec"}
IMPORTS_BY_NAME = {"importlib.import_module", "import_module"}

# The only random numbers are ours: counter-based, the same on every machine.
RANDOM = {"numpy.random", "random", "secrets"}

CORE_ROOMS = ("graph", "ops", "autodiff", "rewrite")
TOUCHES_THE_WORLD = {"input", "open", "os.getenv", "print"}


def code_from_elsewhere(tree):
    """(line, what) of everything that could run code which is not in the package."""
    for line, module in imported_modules(tree):
        if module.partition(".")[0] in RUNS_CODE_FROM_FILES:
            yield line, module
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        name = dotted(node.func)
        if name in RUNS_CODE_FROM_TEXT:
            yield node.lineno, name
        if name in IMPORTS_BY_NAME and not isinstance(node.args[0], ast.Constant):
            yield node.lineno, f"{name} of a computed name"
        for keyword in node.keywords:
            if keyword.arg == "allow_pickle" and getattr(keyword.value, "value", None) is not False:
                yield node.lineno, "allow_pickle"


def random_of_others(tree):
    """(line, what) of every use of a random generator that is not ours."""
    for line, module in imported_modules(tree):
        if module in RANDOM or module.startswith(tuple(f"{name}." for name in RANDOM)):
            yield line, module
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and dotted(node) in {"np.random", "numpy.random"}:
            yield node.lineno, dotted(node)


def touches_the_world(tree):
    """(line, what) of every read, write and look at the environment."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and dotted(node.func) in TOUCHES_THE_WORLD:
            yield node.lineno, dotted(node.func)
        if isinstance(node, ast.Attribute) and dotted(node) == "os.environ":
            yield node.lineno, "os.environ"


def room_of(path):
    return path.relative_to(PACKAGE).parts[0]


def offences(rule, paths, allowed=()):
    return [
        f"{path}:{line}: {what}"
        for path in paths
        if module_name(path) not in allowed
        for line, what in rule(syntax_tree(path))
    ]


def test_no_code_from_elsewhere():
    assert not offences(code_from_elsewhere, sources(), MAY_RUN_CODE)


def test_no_random_numbers_but_ours():
    assert not offences(random_of_others, sources(), MAY_BE_RANDOM)


def test_core_rooms_do_not_touch_the_world():
    core = [path for path in sources() if room_of(path) in CORE_ROOMS]
    assert not offences(touches_the_world, core)


@pytest.mark.parametrize("allowed", [MAY_RUN_CODE, MAY_BE_RANDOM], ids=["code", "random"])
def test_exceptions_are_files_that_exist(allowed):
    missing = set(allowed) - {module_name(path) for path in sources()} - {"chainrule"}
    assert not missing


@pytest.mark.parametrize(
    ("rule", "text"),
    [
        (code_from_elsewhere, "import pickle"),
        (code_from_elsewhere, "from joblib import load"),
        (code_from_elsewhere, "def f(s):\n    return eval(s)"),
        (code_from_elsewhere, "np.load(path, allow_pickle=True)"),
        (code_from_elsewhere, "np.load(path, allow_pickle=flag)"),
        (code_from_elsewhere, "importlib.import_module(header['layer'])"),
        (random_of_others, "import random"),
        (random_of_others, "from numpy.random import default_rng"),
        (random_of_others, "from numpy import random"),
        (random_of_others, "x = np.random.default_rng(0)"),
        (touches_the_world, "text = open(path).read()"),
        (touches_the_world, "debug = os.environ.get('DEBUG')"),
    ],
)
def test_rule_finds_an_offence(rule, text):
    assert list(rule(ast.parse(text)))


@pytest.mark.parametrize(
    ("rule", "text"),
    [
        (code_from_elsewhere, "np.load(path, allow_pickle=False)"),
        (code_from_elsewhere, "importlib.import_module('polars')"),
        (code_from_elsewhere, "re.compile(pattern)"),
        (random_of_others, "from .random import Stream"),
        (random_of_others, "from chainrule.base.random import Stream"),
        (touches_the_world, "shape = rule(input, print=open)"),
    ],
)
def test_rule_lets_the_rest_pass(rule, text):
    assert not list(rule(ast.parse(text)))
