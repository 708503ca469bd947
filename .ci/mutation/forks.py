"""Run tests on a changed module, each change in a process of its own that is forked from this one.

This process has imported what is slow to import and never changes (NumPy, pytest, torch ...), but
nothing of chainrule. A child imports chainrule with the changed text in the place of one module, so
no file is ever written, and dies with all it did.
"""

import contextlib
import gc
import importlib.abc
import importlib.util
import os
import resource
import signal
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
MEMORY = 2 << 30  # bytes that a child may take beyond what it starts with
OPTIONS = [
    "--quiet", "--exitfirst", "--no-header", "--tb=line", "--override-ini=addopts=", "-mnot slow",
    "--import-mode=importlib", "--benchmark-disable", "--hypothesis-profile=mutation",
    "--assert=plain", "-pno:cacheprovider", "-p_hypothesis_pytestplugin",
    "-ppytest_benchmark.plugin",
]  # fmt: skip


def preload():
    """Import what is slow and never changes."""
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    for variable in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[variable] = "1"
    import hypothesis
    import hypothesis.strategies
    import mpmath  # noqa: F401
    import numpy.testing  # noqa: F401

    with contextlib.suppress(ImportError):  # parity tests are skipped without it
        import torch

        torch.set_num_threads(1)
    hypothesis.settings.register_profile(
        "mutation", derandomize=True, deadline=None, database=None, max_examples=20
    )
    gc.freeze()  # children need not look through what is here


class Changed(importlib.abc.MetaPathFinder, importlib.abc.SourceLoader):
    """Loads one module from a text."""

    def __init__(self, module, path, source):
        self.module, self.path, self.source = module, path, source

    def find_spec(self, name, path, target=None):
        if name == self.module:
            return importlib.util.spec_from_file_location(name, self.path, loader=self)
        return None

    def get_filename(self, name):
        return str(self.path)

    def get_data(self, path):
        return self.source.encode()


class Watch:
    """Gives each test its seconds, and tells which one runs."""

    def __init__(self, seconds, writer):
        self.seconds = seconds
        self.writer = writer

    def pytest_runtest_logstart(self, nodeid, location):
        os.write(self.writer, f"{nodeid}\n".encode())
        signal.alarm(self.seconds(nodeid))


def run(path, source, stages, seconds):
    """What becomes of a changed file, and by which test: ("killed", "tests/ops/test_x.py::test_y").

    Parameters
    ----------
    path : Path
    source : str
        The file's text, changed.
    stages : list of list of str
        Arguments of pytest, for one run after another; the first that fails is the last.
    seconds : callable
        From a test's name to how long it may take; an endless loop is a timeout.
    """
    module = ".".join(path.relative_to(ROOT / "src").with_suffix("").parts)
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        status = 3
        try:
            os.close(reader)
            status = run_in_child(Changed(module, path, source), stages, seconds, writer)
        finally:
            os._exit(status)
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        lines = pipe.read().decode(errors="replace").splitlines()
    _, status = os.waitpid(child, 0)
    test = lines[-1] if lines else "at import"
    if os.WIFSIGNALED(status):
        return ("timeout" if os.WTERMSIG(status) == signal.SIGALRM else "killed"), test
    return ("survived" if os.WEXITSTATUS(status) == 0 else "killed"), test


def run_in_child(changed, stages, seconds, writer):
    signal.signal(signal.SIGALRM, signal.SIG_DFL)  # it ends the process, wherever it is
    signal.alarm(seconds("at import"))
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    limit = pages * resource.getpagesize() + MEMORY
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    sys.meta_path.insert(0, changed)
    for stage in stages:
        status = pytest.main([*OPTIONS, *stage], plugins=[Watch(seconds, writer)])
        if status not in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED):
            return 1
    return 0
