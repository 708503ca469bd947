"""The repository's files, for tests that read them."""

import ast
import subprocess
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "src" / "chainrule"


@cache
def repository_files():
    """Every file that is, or is about to be, part of the repository; all of them outside git."""
    git = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    try:
        listed = subprocess.run(git, cwd=ROOT, capture_output=True, check=True, text=True)
        paths = [ROOT / name for name in listed.stdout.split("\0") if name]
    except (OSError, subprocess.CalledProcessError):  # an unpacked source distribution
        paths = [
            path
            for path in ROOT.rglob("*")
            if not any(part.startswith((".venv", ".git")) for part in path.relative_to(ROOT).parts)
        ]
    return sorted(path for path in paths if path.is_file())


def documents():
    """Every Markdown file."""
    return [path for path in repository_files() if path.suffix == ".md"]


def sources():
    """Every Python file of the package."""
    return sorted(PACKAGE.rglob("*.py"))


def rooms():
    """The folders right under the package that hold Python."""
    return sorted({path.parent for path in PACKAGE.glob("*/*.py")})


def module_name(path):
    """'chainrule.nn.linear' for .../src/chainrule/nn/linear.py."""
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def short(path):
    """The path as people write it, from the repository's top."""
    return path.relative_to(ROOT).as_posix()


@cache
def syntax_tree(path):
    """The parsed file."""
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def dotted(node):
    """'np.random.rand' for that expression; '' for one that is not a dotted name."""
    if isinstance(node, ast.Attribute):
        left = dotted(node.value)
        return f"{left}.{node.attr}" if left else ""
    return node.id if isinstance(node, ast.Name) else ""


def imported_modules(tree):
    """(line, module) of each absolute import; `from a import b` gives both a and a.b."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield node.lineno, node.module
            for alias in node.names:
                yield node.lineno, f"{node.module}.{alias.name}"
