"""Golden files: a text that a program prints, kept beside the tests and compared exactly."""

import difflib
from pathlib import Path


def check_golden(path: Path, text: str, update: bool = False) -> None:
    r"""Compare a text with a golden file, or write the file anew.

    Parameters
    ----------
    path
        The golden file. Read and written as UTF-8, with ``\n`` at the end of each line.
    text
        What was printed now.
    update
        Write `text` to `path` (its folder is made when it is missing) and compare nothing.

    Raises
    ------
    AssertionError
        The texts differ: the message is a unified diff, from the golden file to `text`. Or there is
        no golden file: a missing one fails, since a test that writes what it then compares with
        cannot fail.

    Examples
    --------
    >>> import tempfile
    >>> folder = tempfile.TemporaryDirectory()
    >>> path = Path(folder.name) / "greeting.txt"
    >>> check_golden(path, "good day\n", update=True)
    >>> check_golden(path, "good day\n")
    >>> check_golden(path, "good night\n")
    Traceback (most recent call last):
    AssertionError: greeting.txt is not what is printed now:
    --- greeting.txt
    +++ printed now
    @@ -1 +1 @@
    -good day
    +good night
    If the new text is right, write it with --update-golden and read the diff first.
    >>> folder.cleanup()
    """
    __tracebackhide__ = True  # pytest shows the test that compares
    if update:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8", newline="\n")
        return
    if not path.exists():
        raise AssertionError(
            f"There is no golden file {path}. "
            "Write it with --update-golden, and read it before committing."
        )
    # newline="" keeps a stray "\r": it is a difference, too.
    with path.open(encoding="utf-8", newline="") as file:
        expected = file.read()
    if expected != text:
        raise AssertionError(_describe_difference(path.name, expected, text))


def _describe_difference(name: str, expected: str, text: str) -> str:
    lines = difflib.unified_diff(
        _visible_lines(expected), _visible_lines(text), name, "printed now", lineterm=""
    )
    return "\n".join(
        [
            f"{name} is not what is printed now:",
            *lines,
            "If the new text is right, write it with --update-golden and read the diff first.",
        ]
    )


def _visible_lines(text: str) -> list[str]:
    # Two texts may differ only in what a diff does not show.
    lines = [line.replace("\r", "␍") for line in text.split("\n")]
    if lines[-1] == "":
        lines.pop()
    else:
        lines[-1] += "␃ no newline at the end"
    return lines
