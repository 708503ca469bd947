"""What computes is what was asked for; left open, it is native code where LLVM starts."""

import subprocess
import sys
import textwrap

import pytest

from chainrule.backends import get_backend, why_not_native

TRAIN = """
import sys, warnings
{breakage}
import numpy as np
import chainrule as cr
from chainrule import nn

x, y = np.eye(4, dtype=np.float32), np.arange(4)
def train(**options):
    return cr.fit(nn.Sequential(nn.Linear(4, 4)), x, y, loss="CrossEntropyLoss", **options)
with warnings.catch_warnings(record=True) as told:
    warnings.simplefilter("always")
    print(train(backend="numpy", validation=(x, y)).backend)
    print(len(told))
    print(train().backend)
for warning in told:
    print(warning.category.__name__, warning.message)
    print(warning.filename)
try:
    train(backend="native")
except ImportError as error:
    print(error)
"""

MISSING = "sys.modules['llvmlite'] = None"
NO_LIBRARY = """
import types
class Broken(types.ModuleType):
    def __getattr__(self, name):
        raise OSError("Could not find/load shared object file\\nlibllvmlite.so")
sys.modules["llvmlite"] = Broken("llvmlite")
"""
INCOMPLETE = """
from llvmlite import binding
del binding.get_host_cpu_features
"""
NO_TARGET = """
from llvmlite import binding
def refuse(triple):
    raise RuntimeError("No available targets are compatible with triple.")
binding.Target.from_triple = refuse
"""
AT_START = """
from llvmlite import binding
def refuse():
    raise RuntimeError("")
binding.initialize_native_target = refuse
"""


@pytest.mark.parametrize(
    ("breakage", "why"),
    [
        (MISSING, "which is not installed here"),
        (
            NO_LIBRARY,
            "which does not start here: Could not find/load shared object file libllvmlite.so",
        ),
        (
            INCOMPLETE,
            (
                "which does not start here: module 'llvmlite.binding' has no attribute "
                "'get_host_cpu_features'"
            ),
        ),
        (
            NO_TARGET,
            "which does not start here: No available targets are compatible with triple",
        ),
        (AT_START, "which does not start here: RuntimeError"),
    ],
    ids=["missing", "no library", "another version", "no target", "not started"],
)
def test_without_llvm_numpy_computes_and_a_line_says_why(tmp_path, breakage, why):
    script = tmp_path / "mine.py"
    script.write_text(TRAIN.format(breakage=textwrap.dedent(breakage)))
    run = subprocess.run([sys.executable, script], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    advice = 'Install it: pip install llvmlite. Or use backend="numpy".'
    line = f"The native backend needs llvmlite, {why}. So NumPy computes, more slowly. {advice}"
    assert run.stdout.splitlines() == [
        "numpy",
        "0",
        "numpy",
        f"BackendWarning {line}",
        str(script),
        f"The native backend needs llvmlite, {why}. {advice}",
    ]


def test_auto_is_native_where_llvm_starts():
    assert why_not_native() is None
    assert get_backend("auto").name == get_backend("native").name == "native"
    assert get_backend("auto").arithmetic in ("native fma", "native muladd")
