import re

import pytest

from chainrule.testing.golden import check_golden


def test_equal_text_passes(tmp_path):
    path = tmp_path / "a.txt"
    path.write_bytes("σ′(z)\n".encode())
    check_golden(path, "σ′(z)\n")


def test_update_makes_folder_and_file(tmp_path):
    path = tmp_path / "graph" / "mlp.txt"
    check_golden(path, "a\nb\n", update=True)
    assert path.read_bytes() == b"a\nb\n"


def test_missing_file_fails_and_is_not_written(tmp_path):
    path = tmp_path / "a.txt"
    message = (
        f"There is no golden file {path}. "
        "Write it with --update-golden, and read it before committing."
    )
    with pytest.raises(AssertionError, match=f"^{re.escape(message)}$"):
        check_golden(path, "a\n")
    assert not path.exists()


@pytest.mark.parametrize(
    ("stored", "printed", "difference"),
    [
        ("a\nb\n", "a\nc\n", " a\n-b\n+c\n"),
        ("a\n", "a", "-a\n+a␃ no newline at the end\n"),
        ("a\r\n", "a\n", "-a␍\n+a\n"),
        ("", "a\n", "+a\n"),
    ],
    ids=["line", "end", "carriage return", "empty"],
)
def test_difference_is_shown(tmp_path, stored, printed, difference):
    path = tmp_path / "a.txt"
    path.write_bytes(stored.encode())
    with pytest.raises(AssertionError) as caught:
        check_golden(path, printed)
    message = str(caught.value)
    assert message.startswith("a.txt is not what is printed now:\n--- a.txt\n+++ printed now\n")
    assert message.endswith(
        difference
        + "If the new text is right, write it with --update-golden and read the diff first."
    )
