"""Run the fast tests on every Python from 3.11 up that this machine has.

Looks on PATH and where pyenv and uv keep theirs, tries each one found (a shim may exist for a
version that is not there), and keeps the newest release of each minor version. Each has its own
environment in .venv-pythons/, without torch. More words are passed on to pytest.
"""

import os
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ENVIRONMENTS = ROOT / ".venv-pythons"
OLDEST = (3, 11)

# What a candidate prints when it is usable: its version, and itself rather than a shim or a link.
QUESTION = """
import ensurepip, os, platform, sys, venv
base = getattr(sys, "_base_executable", sys.executable)
print(platform.python_implementation(), *sys.version_info[:3], os.path.realpath(base), sep="|")
"""


def candidates():
    """Every file that may be a Python."""
    yield Path(sys.executable)
    for folder in os.environ.get("PATH", "").split(os.pathsep):
        yield from sorted(Path(folder or ".").glob("python3*"))
    home = Path.home()
    pyenv = Path(os.environ.get("PYENV_ROOT", home / ".pyenv"))
    yield from sorted(pyenv.glob("versions/*/bin/python"))
    yield from sorted(home.glob(".local/share/uv/python/*/bin/python3"))


def usable_pythons():
    """The newest release of each minor version: {(3, 11): ((3, 11, 7), path)}."""
    found = {}
    for candidate in candidates():
        if not os.access(candidate, os.X_OK) or candidate.name.endswith("-config"):
            continue
        try:
            answer = subprocess.run(
                [candidate, "-c", QUESTION], capture_output=True, text=True, timeout=30, check=True
            )
        except (OSError, subprocess.SubprocessError):
            continue
        implementation, *numbers, path = answer.stdout.strip().split("|")
        version = tuple(map(int, numbers))
        if implementation != "CPython" or version < OLDEST:
            continue
        minor = version[:2]
        if minor not in found or version > found[minor][0]:
            found[minor] = (version, path)
    return dict(sorted(found.items()))


def run_tests(minor, path, arguments):
    """Make or refresh the environment, run the tests, and return pytest's exit status."""
    environment = ENVIRONMENTS / ".".join(map(str, minor))
    python = environment / "bin" / "python"
    stamp = environment / ".installed"
    inputs = [ROOT / "pyproject.toml", ROOT / "constraints.txt"]
    if not stamp.exists() or any(f.stat().st_mtime > stamp.stat().st_mtime for f in inputs):
        subprocess.run([path, "-m", "venv", "--clear", environment], check=True)
        install = [python, "-m", "pip", "install", "--quiet", "--constraint", "constraints.txt"]
        subprocess.run([*install, "--upgrade", "pip"], cwd=ROOT, check=True)
        subprocess.run(
            [*install, "--build-constraint", "constraints.txt", "--editable", ".", "--group=test"],
            cwd=ROOT,
            check=True,
        )
        stamp.touch()
    pytest = [python, "-m", "pytest", "--quiet", "--numprocesses=auto", "-m", "not slow"]
    return subprocess.run([*pytest, *arguments], cwd=ROOT, check=False).returncode


def main():
    arguments = sys.argv[1:]
    pythons = usable_pythons()
    results = {}
    for minor, (version, path) in pythons.items():
        name = ".".join(map(str, version))
        print(f"\n== Python {name}, {path}", flush=True)
        started = time.monotonic()
        status = run_tests(minor, path, arguments)
        results[name] = (status, time.monotonic() - started)
    print("\nPython     tests     seconds (with installing)")
    for name, (status, seconds) in results.items():
        print(f"{name:10} {'passed' if status == 0 else f'FAILED ({status})':9} {seconds:.0f}")
    return any(status for status, _ in results.values())


if __name__ == "__main__":
    sys.exit(main())
