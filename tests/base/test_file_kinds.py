"""What is written to a file is what the ending of its name says."""

from pathlib import Path

import pytest

from chainrule.base.errors import ConfigurationError, FolderNotFoundError
from chainrule.base.file_kinds import FileKind

PICTURE = FileKind("A picture", (".svg",))
PAGE = FileKind("A page", (".html", ".tex", ".txt"))


@pytest.mark.parametrize("name", ["a.svg", "a.SVG", "a.b.svg", "größe.svg"])
def test_a_file_may_end_on_what_is_written(name: str, tmp_path: Path) -> None:
    assert PICTURE.check(str(tmp_path / name)) == tmp_path / name
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("kind", "name", "message"),
    [
        (PICTURE, "a.png", "A picture is written as .svg; got a.png. Name it a.svg."),
        (PICTURE, "a", "A picture is written as .svg; got a. Name it a.svg."),
        (PICTURE, "b/.svg", "A picture is written as .svg; got b/.svg. Name it b/.svg.svg."),
        (PICTURE, "", "A picture is written as .svg; got no name. Name it file.svg."),
        (PICTURE, "b/a.svg.gz", "A picture is written as .svg; got b/a.svg.gz. Name it b/a.svg."),
        (PAGE, "a.htm", "A page is written as .html, .tex or .txt; got a.htm. Name it a.html."),
        (PAGE, "a.text", "A page is written as .html, .tex or .txt; got a.text. Name it a.txt."),
        (PAGE, "a.pdf", "A page is written as .html, .tex or .txt; got a.pdf. Name it a.html."),
    ],
)
def test_another_ending_is_refused(kind: FileKind, name: str, message: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        kind.check(name)
    assert str(caught.value) == message


def test_a_missing_folder_is_named_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(FolderNotFoundError) as caught:
        PICTURE.check(tmp_path / "none" / "a.svg")
    assert str(caught.value) == (
        f"There is no folder {tmp_path}/none to write a.svg in. Make the folder first, or name one "
        "that exists."
    )
    assert list(tmp_path.iterdir()) == []


def test_a_folder_of_that_name_is_no_file(tmp_path: Path) -> None:
    (tmp_path / "a.svg").mkdir()
    with pytest.raises(ConfigurationError, match=r"a\.svg is a folder"):
        PICTURE.check(tmp_path / "a.svg")
