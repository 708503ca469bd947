"""Every example in a docstring runs, alone: it sees its module's names and nothing else's."""

import doctest
import importlib

import pytest
from sybil.evaluators.doctest import OutputChecker

from tests.docs.blocks import FLAGS
from tests.tree import module_name, short, sources

WITH_EXAMPLES = [path for path in sources() if ">>>" in path.read_text(encoding="utf-8")]


@pytest.mark.parametrize("path", WITH_EXAMPLES, ids=short)
def test_examples_run(path, tmp_path, monkeypatch):
    module = importlib.import_module(module_name(path))
    tests = [test for test in doctest.DocTestFinder().find(module) if test.examples]
    assert tests, "has >>>, but not in a docstring that doctest finds"
    monkeypatch.chdir(tmp_path)  # an example may write files
    runner = doctest.DocTestRunner(checker=OutputChecker(), verbose=False, optionflags=FLAGS)
    report = []
    for test in tests:
        runner.run(test, out=report.append)
    assert not report, "".join(report)
