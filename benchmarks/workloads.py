"""What is trained: networks, their first weights, their data and the order of its rows.

Everything here is NumPy and drawn from fixed seeds, so that each contender, in a process of its
own, starts from the same numbers and reads the same rows.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Layer = tuple[Array, Array]
"""A weight of shape [outputs, inputs], as torch has it, and a bias."""


@dataclass(frozen=True)
class Workload:
    """Fully connected layers, and how they are trained.

    Parameters
    ----------
    name : str
    widths : tuple of int
        Of the input and of each layer.
    hidden : str
        The activation between layers, ``"sigmoid"`` or ``"relu"``.
    output : str
        The activation of the last layer: ``"sigmoid"``, or ``"none"``.
    loss : str
        Of one example, averaged over the batch: ``"quadratic"``, ½·Σ(o - t)²; ``"mse"``, the mean
        over the outputs of (o - t)²; ``"cross_entropy"`` of logits and a class.
    optimizer : str
        ``"sgd"`` or ``"adam"``.
    lr : float
    batch : int
    examples : int
    steps : int
        How many are timed in one turn.
    dtype : str
    shuffled : bool
        Whether each epoch reads the examples in an order of its own.
    trains_biases : bool
    per_example : bool
        Nothing is trained: a step is the gradient of each example's cost.
    skip : tuple of int, optional
        Two of the places between layers, 0 being the input: what is there at the first is added
        to the second, before its activation; by a matrix, where they differ in width.
    """

    name: str
    widths: tuple[int, ...]
    hidden: str
    output: str
    loss: str
    optimizer: str
    lr: float
    batch: int
    examples: int
    steps: int
    dtype: str = "float32"
    shuffled: bool = True
    trains_biases: bool = True
    per_example: bool = False
    skip: tuple[int, int] | None = None

    def layers(self) -> list[Layer]:
        """The weights and biases to start from."""
        if self.name in _FIRST_WEIGHTS:
            return [(np.array(w, self.dtype), np.array(b, self.dtype)) for w, b in MAZUR]
        rng = np.random.default_rng(len(self.widths))
        made = []
        for inputs, outputs in zip(self.widths[:-1], self.widths[1:], strict=True):
            bound = (3.0 / inputs) ** 0.5
            weight = rng.uniform(-bound, bound, (outputs, inputs))
            made.append((weight.astype(self.dtype), np.zeros(outputs, self.dtype)))
        return made

    def data(self) -> tuple[Array, Array]:
        """The examples and their targets."""
        if self.name == "w1":
            return np.array([[0.05, 0.10]]), np.array([[0.01, 0.99]])
        if self.name == "w2":
            return np.array([[0.0, 0], [0, 1], [1, 0], [1, 1]]), np.array([[0.0], [1], [1], [0]])
        return self._images()

    def rows(self, steps: int) -> NDArray[np.int64]:
        """The rows that the first steps read, as [steps, batch]."""
        whole = self.examples // self.batch * self.batch
        rng = np.random.default_rng(0)
        epochs = -(-steps * self.batch // whole)
        orders = [
            rng.permutation(self.examples)[:whole] if self.shuffled else np.arange(whole)
            for _ in range(epochs)
        ]
        return np.concatenate(orders)[: steps * self.batch].reshape(steps, self.batch)

    def _images(self) -> tuple[Array, Array]:
        """Vectors in [0, 1], as noise around one prototype for each class."""
        rng = np.random.default_rng(3)
        width, classes = self.widths[0], 10
        prototypes = (0.7 * (rng.random((classes, width)) < 0.2)).astype(self.dtype)
        labels = rng.integers(0, classes, self.examples)
        x = rng.standard_normal((self.examples, width), np.float32)
        x *= 0.6
        x += prototypes[labels]
        np.clip(x, 0, 1, out=x)
        if self.loss == "cross_entropy":
            return x, labels
        if self.widths[-1] == width:
            return x, x
        return x, np.eye(self.widths[-1], dtype=self.dtype)[labels]


MAZUR = (
    ([[0.15, 0.20], [0.25, 0.30]], [0.35, 0.35]),
    ([[0.40, 0.45], [0.50, 0.55]], [0.60, 0.60]),
)
_FIRST_WEIGHTS = {"w1": MAZUR}

_W4 = Workload(
    "w4",
    widths=(784, 512, 512, 10),
    hidden="relu",
    output="none",
    loss="cross_entropy",
    optimizer="adam",
    lr=1e-3,
    batch=128,
    examples=8192,
    steps=32,
)

WORKLOADS = {
    w.name: w
    for w in (
        Workload(
            "w1",
            widths=(2, 2, 2),
            hidden="sigmoid",
            output="sigmoid",
            loss="quadratic",
            optimizer="sgd",
            lr=0.5,
            batch=1,
            examples=1,
            steps=10_000,
            dtype="float64",
            shuffled=False,
            trains_biases=False,
        ),
        Workload(
            "w2",
            widths=(2, 3, 1),
            hidden="sigmoid",
            output="sigmoid",
            loss="quadratic",
            optimizer="sgd",
            lr=2.0,
            batch=1,
            examples=4,
            steps=10_000,
            dtype="float64",
            shuffled=False,
        ),
        Workload(
            "w3",
            widths=(784, 30, 10),
            hidden="sigmoid",
            output="sigmoid",
            loss="quadratic",
            optimizer="sgd",
            lr=3.0,
            batch=10,
            examples=50_000,
            steps=2_500,
        ),
        _W4,
        Workload(
            "w9",
            widths=(784, 128, 32, 128, 784),
            hidden="sigmoid",
            output="sigmoid",
            loss="mse",
            optimizer="adam",
            lr=1e-3,
            batch=128,
            examples=8192,
            steps=32,
        ),
        replace(_W4, name="w10", per_example=True, steps=2),
    )
}
"""By name; the numbers are those by which the targets speak of them."""
