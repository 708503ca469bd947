"""Where llvmlite is not installed the native backend says so."""

import subprocess
import sys

CODE = """
import sys
sys.modules["llvmlite"] = None
from chainrule.backends import get_backend
print(get_backend("auto").name)
get_backend("native")
"""


def test_a_missing_llvmlite_is_named_with_what_to_do():
    run = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=False)
    assert run.stdout == "numpy\n"
    assert run.stderr.splitlines()[-1] == (
        "chainrule.base.errors.MissingExtraError: The native backend needs llvmlite, which is not "
        'installed here. Install it: pip install llvmlite. Or use backend="numpy".'
    )
