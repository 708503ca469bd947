"""Every block of every Markdown file runs. How to write them: tests/docs/blocks.py."""

import pytest

from tests.docs.blocks import run_document
from tests.tree import documents, short

# The changelog tells what was true at the time.
DOCUMENTS = [path for path in documents() if path.name != "CHANGELOG.md"]


def has_slow_block(path):
    return any(
        line.lstrip().startswith("```") and "slow" in line.split()
        for line in path.read_text(encoding="utf-8").splitlines()
    )


def run(path, folder, monkeypatch, slow):
    monkeypatch.chdir(folder)
    left_out = run_document(path, slow=slow)
    if left_out:
        pytest.skip(f"blocks at lines {left_out} need CHAINRULE_DATA, or torch; the others passed")


@pytest.mark.parametrize("path", DOCUMENTS, ids=short)
def test_document_runs(path, tmp_path, monkeypatch):
    run(path, tmp_path, monkeypatch, slow=False)


@pytest.mark.slow
@pytest.mark.parametrize("path", list(filter(has_slow_block, DOCUMENTS)), ids=short)
def test_document_runs_with_its_slow_blocks(path, tmp_path, monkeypatch):
    run(path, tmp_path, monkeypatch, slow=True)
