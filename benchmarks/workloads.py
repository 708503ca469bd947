"""Trainings: networks, their first weights, their data and the order of its rows.

Everything here is NumPy and drawn from fixed seeds, so that each contender, in a process of its
own, starts from the same numbers and reads the same rows.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from benchmarks.task import Array, Task

COMPARED = (1, 2, 4)
"""After how many steps values are compared; the last two are taken at once."""

Layer = tuple[Array, Array]
"""A weight of shape [outputs, inputs], as torch has it, and a bias."""


@dataclass(frozen=True)
class Workload(Task):
    """Fully connected layers, and how they are trained.

    Parameters
    ----------
    name : str
    profiled_steps : int
        How many a profile takes at once.
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
    batch, examples : int
    data_set : str
        ``"mazur"``, ``"xor"`` or ``"images"``.
    dtype : str
    shuffled : bool
        Whether each epoch reads the examples in an order of its own.
    trains_biases : bool
    per_example : bool
        Nothing is trained: a step is the gradient of each example's cost.
    checks_finite : bool
        Whether a step with a value that is not finite is to be found; ours alone does.
    explains : bool
        Whether each step is captured with all that it computes; ours alone does.
    skip : tuple of int, optional
        Two of the places between layers, 0 being the input: what is there at the first is added
        to the second, before its activation; by a matrix, where they differ in width.
    """

    widths: tuple[int, ...]
    hidden: str
    output: str
    loss: str
    optimizer: str
    lr: float
    batch: int
    examples: int
    data_set: str = "images"
    dtype: str = "float32"
    shuffled: bool = True
    trains_biases: bool = True
    per_example: bool = False
    checks_finite: bool = True
    explains: bool = False
    skip: tuple[int, int] | None = None

    @property
    def tolerances(self) -> dict[int, float]:
        # A value is a sum over up to 785 rounded terms of a product, in any order: in float32 it is
        # off by some √785·2⁻²⁴ = 1.7e-6 of itself. An update, off by as much, adds no more to the
        # next one. So it is for a few steps: a little later a relu's unit is at 0 for one and at
        # 1e-9 for another, Adam moves its weights by lr for the one alone, and losses that are all
        # right come apart. Float64 has 2²⁹ times finer steps; there small differences o - t magnify
        # them.
        first = 2e-6 if self.dtype == "float32" else 1e-12
        return {steps: steps * first for steps in COMPARED}

    @property
    def steps_per_epoch(self) -> int:
        """How many whole batches the examples make."""
        return self.examples // self.batch

    def layers(self) -> list[Layer]:
        """The weights and biases to start from."""
        if self.data_set == "mazur" and self.widths == (2, 2, 2):
            return [(np.array(w), np.array(b)) for w, b in MAZUR]
        rng = np.random.default_rng(7)
        made = []
        for inputs, outputs in zip(self.widths[:-1], self.widths[1:], strict=True):
            bound = (3.0 / inputs) ** 0.5
            weight = rng.uniform(-bound, bound, (outputs, inputs))
            made.append((weight.astype(self.dtype), np.zeros(outputs, self.dtype)))
        return made

    def arrays(self) -> dict[str, Array]:
        x, target = self._examples()
        return {"x": x, "target": target, "rows": self.rows()}

    def rows(self) -> Array:
        """The rows that steps read, as [steps, batch]; after the last the first comes again."""
        per_epoch = self.steps_per_epoch
        epochs = -(-max(2000, 100_000 // self.batch) // per_epoch)
        rng = np.random.default_rng(0)
        orders = [
            rng.permutation(self.examples) if self.shuffled else np.arange(self.examples)
            for _ in range(epochs)
        ]
        whole = [order[: per_epoch * self.batch] for order in orders]
        return np.concatenate(whole).reshape(-1, self.batch)

    def _examples(self) -> tuple[Array, Array]:
        rng = np.random.default_rng(3)
        if self.data_set == "images":
            return self._images(rng)
        x, target = (np.array(array) for array in FIXED[self.data_set])
        shapes = (self.examples, self.widths[0]), (self.examples, self.widths[-1])
        if (x.shape, target.shape) == shapes:
            return x, target
        return rng.random(shapes[0]), rng.random(shapes[1])

    def _images(self, rng: np.random.Generator) -> tuple[Array, Array]:
        """Vectors in [0, 1], as noise around a prototype for each class; some are mislabelled.

        So that the loss stays away from 0, and gradients from numbers too small for a normal
        float, with which processors are slow.
        """
        width, classes = self.widths[0], 10
        prototypes = (0.7 * (rng.random((classes, width)) < 0.2)).astype(self.dtype)
        labels = rng.integers(0, classes, self.examples)
        x = rng.standard_normal((self.examples, width), np.float32)
        x *= 0.6
        x += prototypes[labels]
        np.clip(x, 0, 1, out=x)
        if self.loss == "mse":
            shape = self.examples, self.widths[-1]
            return x, x if shape == x.shape else rng.random(shape, np.float32)
        wrong = rng.random(self.examples) < 0.2
        labels[wrong] = rng.integers(0, classes, int(wrong.sum()))
        if self.loss == "cross_entropy":
            return x, labels % self.widths[-1]
        return x, np.eye(self.widths[-1], dtype=self.dtype)[labels % self.widths[-1]]

    def variants(self) -> list[Workload]:
        """The same with each dimension one more and one less, and with a skip."""
        made = []
        for sign in (-1, 1):
            for place, width in enumerate(self.widths):
                if width + sign:
                    widths = tuple(n + sign * (i == place) for i, n in enumerate(self.widths))
                    made.append(replace(self, name=f"{self.name}/{widths}", widths=widths))
            batch = self.batch + sign
            if batch:
                examples = max(self.examples, batch)
                name = f"{self.name}/batch={batch}"
                made.append(replace(self, name=name, batch=batch, examples=examples))
        begin, end = SKIPS[self.name]
        skipping = replace(self, name=f"{self.name}/skip {begin}→{end}", skip=(begin, end))
        return [*made, skipping]

    def unchecked(self) -> Workload:
        """The same without the check for numbers that are not finite."""
        return replace(self, name=f"{self.name}/unchecked", checks_finite=False)

    def explained(self) -> Workload:
        """The same with each step captured, as `explain` does it."""
        return replace(self, name=f"{self.name}/explained", explains=True)


MAZUR = (
    ([[0.15, 0.20], [0.25, 0.30]], [0.35, 0.35]),
    ([[0.40, 0.45], [0.50, 0.55]], [0.60, 0.60]),
)
"""Weights and biases of Mazur's worked example."""

FIXED = {
    "mazur": ([[0.05, 0.10]], [[0.01, 0.99]]),
    "xor": ([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]], [[0.0], [1.0], [1.0], [0.0]]),
}
"""Examples and targets of data sets that are their numbers."""

SKIPS = {"w1": (0, 1), "w2": (0, 2), "w3": (0, 2), "w4": (1, 2), "w9": (1, 3), "w10": (1, 2)}

_W4 = Workload(
    "w4",
    profiled_steps=32,
    widths=(784, 512, 512, 10),
    hidden="relu",
    output="none",
    loss="cross_entropy",
    optimizer="adam",
    lr=1e-3,
    batch=128,
    examples=8192,
)

WORKLOADS = {
    w.name: w
    for w in (
        Workload(
            "w1",
            profiled_steps=1000,
            widths=(2, 2, 2),
            hidden="sigmoid",
            output="sigmoid",
            loss="quadratic",
            optimizer="sgd",
            lr=0.5,
            batch=1,
            examples=1,
            data_set="mazur",
            dtype="float64",
            shuffled=False,
            trains_biases=False,
        ),
        Workload(
            "w2",
            profiled_steps=1000,
            widths=(2, 3, 1),
            hidden="sigmoid",
            output="sigmoid",
            loss="quadratic",
            optimizer="sgd",
            lr=2.0,
            batch=1,
            examples=4,
            data_set="xor",
            dtype="float64",
            shuffled=False,
        ),
        Workload(
            "w3",
            profiled_steps=250,
            widths=(784, 30, 10),
            hidden="sigmoid",
            output="sigmoid",
            loss="quadratic",
            optimizer="sgd",
            lr=3.0,
            batch=10,
            examples=50_000,
        ),
        _W4,
        Workload(
            "w9",
            profiled_steps=32,
            widths=(784, 128, 32, 128, 784),
            hidden="sigmoid",
            output="sigmoid",
            loss="mse",
            optimizer="adam",
            lr=1e-3,
            batch=128,
            examples=8192,
        ),
        replace(_W4, name="w10", per_example=True, profiled_steps=2),
    )
}
"""By name; the numbers are those by which the targets speak of them."""
