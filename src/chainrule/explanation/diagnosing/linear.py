"""What a network cannot say by the way it is made: it is linear, or one or two units wide."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from chainrule.explanation.diagnosing.evidence import Evidence


def is_linear(evidence: Evidence) -> bool:
    """Whether what it says of a point midway between two examples is midway between them."""
    arrays, outputs = evidence.arrays, evidence.outputs
    if arrays is None or outputs is None or any(c.dtype.kind != "f" for c in arrays.columns):
        return False
    columns = [column[evidence.sampled] for column in arrays.columns]
    midway = tuple((column + np.roll(column, 1, axis=0)) / 2 for column in columns)
    source = replace(arrays, columns=midway, target=arrays.target[evidence.sampled])
    said = evidence.outputs_on(source, np.arange(source.count))
    expected = (outputs + np.roll(outputs, 1, axis=0)) / 2
    off = 1e-3 * float(expected.std())
    return said is not None and bool(np.allclose(said, expected, rtol=0, atol=off))


def narrowest(evidence: Evidence) -> int:
    """The units of the narrowest hidden layer; 0 where there is none."""
    matrices = [s for s in evidence.slopes if s.value.ndim == 2]
    return min((s.value.shape[0] for s in matrices[:-1]), default=0)


def is_structural(evidence: Evidence) -> bool:
    """Whether it is linear, or has so narrow a layer that hardly anything passes."""
    return narrowest(evidence) <= 2 or is_linear(evidence)
