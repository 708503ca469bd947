"""What the text of the repository's files must keep to."""

import re

import pytest

from tests.tree import ROOT, documents, repository_files, short

# Hosts of registries have no place here: whoever installs has their own settings. Paths of one
# machine have none either. (The brackets keep this file from finding itself.)
FORBIDDEN = re.compile(
    r"pypi[.]org|files[.]pythonhosted|registry[.]npmjs|(?<![\w.-])[/]work/", re.IGNORECASE
)
SHARED = re.compile(r"[.][.]/shared\b")
SHARED_IN = {".ci/run"}  # where the folder of real data sets is looked for

LINK = re.compile(r"\]\(([^)\s]+)(?:\s+\"[^\"]*\")?\)")


def text_of(path):
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:  # binary
        return ""


def without_blocks(text):
    return re.sub(r"^( *)(```+).*?^\1\2 *$", "", text, flags=re.MULTILINE | re.DOTALL)


def test_files_name_no_registry_and_no_machine():
    found = [
        f"{short(path)}: {match[0]}"
        for path in repository_files()
        for match in FORBIDDEN.finditer(text_of(path))
    ]
    found += [
        f"{short(path)}: {match[0]}"
        for path in repository_files()
        if short(path) not in SHARED_IN
        for match in SHARED.finditer(text_of(path))
    ]
    assert not found


@pytest.mark.parametrize(
    "words", [["https://pypi", "org/simple"], ["files", "pythonhosted", "org"]], ids="-".join
)
def test_registry_is_found(words):
    assert FORBIDDEN.search(".".join(words))


@pytest.mark.parametrize("before", ["", " ", "file://", "'"])
def test_path_of_a_machine_is_found(before):
    assert FORBIDDEN.search(f"{before}/{'work'}/main")


@pytest.mark.parametrize("text", ["net/work/x", "framework/", "a/b/work/"])
def test_other_text_is_not(text):
    assert not FORBIDDEN.search(text)


@pytest.mark.parametrize("path", documents(), ids=short)
def test_links_lead_somewhere(path):
    targets = LINK.findall(without_blocks(text_of(path)))
    local = [target for target in targets if not re.match(r"[a-z]+:|#", target)]
    broken = [
        target
        for target in local
        if not (path.parent / target.partition("#")[0]).resolve().is_relative_to(ROOT)
        or not (path.parent / target.partition("#")[0]).exists()
    ]
    assert not broken


def test_decision_notes_are_listed():
    folder = ROOT / "docs" / "decisions"
    notes = {path.name for path in folder.glob("*.md")} - {"README.md"}
    misnamed = [name for name in notes if not re.fullmatch(r"\d{4}-[a-z0-9-]+\.md", name)]
    assert not misnamed
    numbers = [name[:4] for name in notes]
    assert len(numbers) == len(set(numbers)), "two notes have the same number"
    listed = set(LINK.findall(text_of(folder / "README.md")))
    assert notes == {target for target in listed if re.match(r"\d{4}-", target)}
