"""Doctor: the callback that looks at a training while it goes on."""

from __future__ import annotations

from dataclasses import replace
from typing import TextIO

from chainrule.explanation.diagnosing.case import of_run
from chainrule.explanation.diagnosing.doctor import EVERYTHING, diagnose
from chainrule.explanation.diagnosing.evidence import Evidence
from chainrule.explanation.diagnosing.finding import Diagnosis, Finding
from chainrule.explanation.diagnosing.folding import fold
from chainrule.train.callbacks import Callback, Logs


class Doctor(Callback):
    """Look at the training before its first step and after each epoch; say what is new.

    Parameters
    ----------
    stop : bool
        Whether an error, such as gradients that are all zero, ends the training: before the first
        step where it is there already, or after the epoch in which it is found.
    verbose : bool
        Whether findings are printed when they are made.
    file : text file, optional
        Where; standard output by default.

    Attributes
    ----------
    findings : list of Finding
        All that was found so far, each name once: as it was found first.
    found_in : dict of str to int
        The epoch in which a name was found first; -1: before the first step.

    Notes
    -----
    Before the first step it looks at the data and makes trial steps, on copies. After an epoch it
    captures one step and reads the history: no step of the training is changed or made again.

    A run folder does not keep it: `resume` is given it anew, in its `callbacks`.

    Examples
    --------
    >>> import numpy as np
    >>> import chainrule as cr
    >>> from chainrule import nn
    >>> x = np.linspace(-1, 1, 80).reshape(40, 2)
    >>> net = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1))
    >>> net[0].bias.replace(np.full(3, -100.0))
    >>> watching = cr.Doctor(verbose=False)
    >>> run = cr.fit(net, x, x[:, :1], callbacks=[watching], backend="numpy", progress=False)
    >>> watching.findings[0].name
    'dead-units'
    """

    def __init__(
        self, stop: bool = False, *, verbose: bool = True, file: TextIO | None = None
    ) -> None:
        self.stop = stop
        self.verbose = verbose
        self.file = file
        self.findings: list[Finding] = []
        self.found_in: dict[str, int] = {}

    @property
    def diagnosis(self) -> Diagnosis:
        """All that was found so far."""
        return Diagnosis(tuple(self.findings))

    def on_train_begin(self) -> None:
        """Look at the data, the first state and trial steps."""
        self.findings, self.found_in = [], {}
        self._evidence = Evidence(of_run(self.run))
        needs = [need for need in EVERYTHING if need != "run"]
        self._take(diagnose(self._evidence.case, needs, self._evidence), -1)

    def on_epoch_end(self, epoch: int, logs: Logs) -> None:
        """Look at a step from where training stands, and at the history."""
        self._evidence = self._evidence.later(of_run(self.run))
        self._take(diagnose(self._evidence.case, ("step", "run"), self._evidence), epoch)

    def _take(self, diagnosis: Diagnosis, epoch: int) -> None:
        known, new = set(self.found_in), diagnosis.all
        for finding in new:
            self.found_in.setdefault(finding.name, epoch)
        # What follows from something that was found earlier is told with that, and not anew.
        every = [*self.diagnosis.all, *(f for f in new if f.name not in known)]
        self.findings = list(fold([replace(finding, follows=()) for finding in every]))
        first = [finding for finding in self.findings if finding.name not in known]
        told = tuple(finding for finding in first if finding.severity != "note")
        if told and self.verbose:
            Diagnosis(told, diagnosis.looked_at, diagnosis.rules).show(file=self.file)
        errors = [finding for finding in first if finding.severity == "error"]
        if self.stop and errors:
            self.run.stop(f"the doctor found {errors[0].name}: {errors[0].title}")
