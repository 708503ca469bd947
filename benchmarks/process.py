"""A contender's process, from outside."""

from __future__ import annotations

import json
import os
import selectors
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Any

from benchmarks.contenders import Contender

ROOT = Path(__file__).parent.parent
PATIENCE = 300.0
"""Seconds for one answer: torch.compile has taken 40."""
THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


def environment() -> dict[str, str]:
    """This process's variables; but Python keeps bytecode, which installed packages come with."""
    return {name: v for name, v in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


class Failed(Exception):
    """A contender has not done what it was told.

    Parameters
    ----------
    reason : str
    is_choice : bool
        Whether it does not take part in such a task at all.
    """

    def __init__(self, reason: str, is_choice: bool = False) -> None:
        super().__init__(reason)
        self.is_choice = is_choice


class Worker:
    """A contender's process."""

    def __init__(self, contender: Contender, threads: int, caches: Path) -> None:
        variables = environment() | {
            **dict.fromkeys(THREADS, str(threads)),
            "JAX_PLATFORMS": "cpu",
            "XDG_CACHE_HOME": str(caches),
            "TORCHINDUCTOR_CACHE_DIR": str(caches / "inductor"),
            "PYTHONHASHSEED": "0",
            **contender.environment,
        }
        command = [sys.executable, "-m", "benchmarks.worker", contender.name, str(threads)]
        self._errors = caches.with_name(f"{caches.name}.log")
        self.began = time.monotonic()
        with self._errors.open("wb") as errors:
            self._process = subprocess.Popen(
                command,
                cwd=ROOT,
                env=variables,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
            )

    def __enter__(self) -> Worker:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._process.kill()
        self._process.communicate()

    def ask(self, do: str, **details: Any) -> dict[str, Any]:
        """Send a message, and wait for the answer.

        Raises
        ------
        Failed
            With the reason.
        """
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            self._process.stdin.write(json.dumps({"do": do, **details}).encode() + b"\n")
            self._process.stdin.flush()
            with selectors.DefaultSelector() as selector:
                selector.register(self._process.stdout, selectors.EVENT_READ)
                if not selector.select(PATIENCE):
                    raise Failed(f"no answer within {PATIENCE:.0f} s")
            line = self._process.stdout.readline()
        except OSError:
            line = b""
        if not line:
            raise Failed(f"its process ended: {self._last_words()}")
        answer: dict[str, Any] = json.loads(line)
        if "unsupported" in answer:
            raise Failed(answer["unsupported"], is_choice=True)
        if "error" in answer:
            raise Failed(answer["error"])
        return answer

    def _last_words(self) -> str:
        lines = self._errors.read_text("utf-8", "replace").strip().splitlines()
        return lines[-1] if lines else "it said nothing"
