"""`import chainrule` loads what everybody needs, and nothing that only some people use."""

import json
import subprocess
import sys

import pytest

from tests.tree import PACKAGE

# Each is loaded by the first call that needs it. Wall time is measured by a benchmark; here is what
# it would be lost to.
HEAVY = {
    "asyncio",
    "cyclopts",
    "hypothesis",
    "http",
    "importlib.metadata",
    "jax",
    "llvmlite",
    "matplotlib",
    "mpmath",
    "msgspec",
    "multiprocessing",
    "pandas",
    "PIL",
    "polars",
    "pytest",
    "rich",
    "safetensors",
    "scipy",
    "sklearn",
    "sqlite3",
    "tarfile",
    "torch",
    "unittest",
    "xml",
}


def modules_loaded_by(statement):
    code = f"{statement}\nimport json, sys; print(json.dumps(sorted(sys.modules)))"
    # -I: neither the environment nor this folder has a say.
    result = subprocess.run(
        [sys.executable, "-I", "-c", code], capture_output=True, text=True, check=True
    )
    return set(json.loads(result.stdout))


@pytest.mark.skipif(
    not (PACKAGE / "__init__.py").exists(), reason="the package has no front door yet"
)
def test_import_is_light():
    # Whatever an empty program or NumPy loads is not ours to answer for.
    loaded = modules_loaded_by("import chainrule") - modules_loaded_by("import json, numpy")
    too_heavy = sorted(loaded & HEAVY)
    assert not too_heavy, (
        f"import chainrule loads {', '.join(too_heavy)}. "
        "`python -X importtime -c 'import chainrule'` shows who asks for it; "
        "import it inside the function that needs it."
    )


def test_a_heavy_import_would_be_seen():
    assert "sqlite3" in modules_loaded_by("import sqlite3")
