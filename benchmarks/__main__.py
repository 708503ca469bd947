"""``python -m benchmarks``."""

from __future__ import annotations

from cyclopts import App
from rich.console import Console

app = App(name="benchmarks", help="How fast chainrule is, beside others on the same work.")


@app.command
def profile(*workloads: str, slowest: int = 0, repeats: int = 15) -> None:
    """Time each native kernel of a workload's step.

    Parameters
    ----------
    workloads
        Such as w4; see workloads.py.
    slowest
        Show only so many, the slowest first; 0: all, in the order in which they run.
    repeats
        Over how many runs medians are taken.
    """
    from benchmarks import profile as profiling

    console = Console()
    if not console.is_terminal:
        console = Console(width=130)
    for name in workloads:
        profiling.show(name, profiling.profile(name, repeats=repeats), console, slowest=slowest)


if __name__ == "__main__":
    app()
