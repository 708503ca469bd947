"""What every test may use.

Fixtures
    golden(name, text)   `text` is compared with tests/golden/<name>.txt; a missing file fails.
                         `pytest --update-golden` writes the files: read the diff, then commit.
    data_folder          the folder of real data sets that CHAINRULE_DATA names; skips without it.
    torch                the module, or a skip. Ask for the fixture rather than importing torch at
                         the top of a file, which costs seconds in every process that collects it.
                         For parameters that need torch, pass names: getattr(torch.nn, name).
    tmp_path, ...        pytest's own.

Markers
    parity               on every test that asks for `torch`: `make parity` runs them, and the last
                         line of `pytest -m parity --collect-only -q` counts them.
    @pytest.mark.slow    more than a few seconds: `make test-slow` runs it, `make test` does not.

Hypothesis runs the same examples each time. To look further afield:
`pytest --hypothesis-profile=explore`.
"""

import atexit
import os
import shutil
import tempfile
from pathlib import Path

# Each worker of pytest-xdist has a core; threads of BLAS on top of that only get in the way.
# This must stand before the first import of NumPy.
if "PYTEST_XDIST_WORKER" in os.environ:
    for variable in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(variable, "1")

# Tests start the command line some two hundred times: its modules are compiled for the first.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

# Tests find no machine code that others left, and leave none. Workers share what one of them made.
if "PYTEST_XDIST_WORKER" not in os.environ:
    os.environ["CHAINRULE_CACHE"] = tempfile.mkdtemp(prefix="chainrule-code-")
    atexit.register(shutil.rmtree, os.environ["CHAINRULE_CACHE"], ignore_errors=True)

import hypothesis
import pytest

GOLDEN = Path(__file__).parent / "golden"

hypothesis.settings.register_profile("repeatable", derandomize=True, deadline=None, database=None)
hypothesis.settings.register_profile("explore", max_examples=2000, deadline=None)
hypothesis.settings.load_profile("repeatable")


def pytest_addoption(parser):
    parser.addoption(
        "--update-golden",
        action="store_true",
        help="write the golden files in tests/golden instead of comparing with them",
    )


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """What is compared with torch is marked by that: `pytest -m parity` counts the cases."""
    for item in items:
        if "torch" in getattr(item, "fixturenames", ()):
            item.add_marker("parity")


@pytest.fixture
def golden(request):
    """Compare a text with tests/golden/<name>.txt; a name may have folders, as in "graph/mlp"."""
    from chainrule.testing.golden import check_golden

    update = request.config.getoption("--update-golden")

    def compare(name, text):
        __tracebackhide__ = True
        check_golden(GOLDEN / f"{name}.txt", text, update=update)

    return compare


@pytest.fixture(scope="session")
def data_folder():
    """The folder of real data sets. Unset skips; set to a folder that is not there fails."""
    value = os.environ.get("CHAINRULE_DATA")
    if not value:
        pytest.skip("CHAINRULE_DATA is unset: it names the folder with the real data sets")
    folder = Path(value)
    if not folder.is_dir():
        pytest.fail(f"CHAINRULE_DATA is {value!r}, which is not a folder")
    return folder


@pytest.fixture(scope="session")
def torch():
    """The torch module, on one thread."""
    module = pytest.importorskip(
        "torch",
        reason="torch is not installed: parity tests need the `parity` group of pyproject.toml",
    )
    module.set_num_threads(1)
    return module
