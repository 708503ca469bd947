"""Every loss beside torch's: over its arguments and over shapes, on numbers that float32 holds."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from chainrule import nn
from tests.nn.parity import numbers

ELEMENTS = [(5,), (4, 3), (3, 2, 2)]
ROWS = [(4, 3), (3, 1), (2, 4, 2)]
CLASSES = [(6, 4), (3, 4, 2), (2, 3, 2, 2)]
VECTORS = [(4, 3), (2, 5)]
IGNORED = -100


@dataclass(frozen=True, eq=False)
class Case:
    """A loss with its arguments, on outputs and targets of one shape.

    Parameters
    ----------
    name : str
        In our registry.
    arguments : dict
    shape : tuple of int
        Of the outputs.
    draw : callable
        From the shape to (outputs, target); several outputs are a list.
    torch : callable
        From torch to the function of (outputs ..., target) that is torch's loss of the batch.
    twice : callable or None
        The same, written in torch's own functions, where torch's loss has no second derivative or
        another one.
    """

    name: str
    arguments: dict[str, Any]
    shape: tuple[int, ...]
    draw: Callable[[tuple[int, ...]], tuple[Sequence[Any], Any]]
    torch: Callable[[Any], Callable[..., Any]]
    twice: Callable[[Any], Callable[..., Any]] | None = None

    def __str__(self):
        given = ",".join(f"{k}={v}" for k, v in self.arguments.items()).replace(" ", "")
        return f"{self.name}({given})-{'x'.join(map(str, self.shape))}-{self.draw.__name__}"

    @property
    def loss(self):
        return nn.LOSSES.get(self.name)(**self.arguments)


@dataclass
class Grid:
    """A list of cases that is written down loss by loss."""

    cases: list[Case] = field(default_factory=list)

    def add(self, name, shapes, draws, arguments, torch=None, twice=None):
        """Add a loss with each of its `arguments`, on each shape, with each way to draw numbers."""
        for given in arguments:
            for draw in draws:
                for shape in shapes:
                    theirs = _of_torch(name, given) if torch is None else _bound(torch, given)
                    again = None if twice is None else _bound(twice, given)
                    self.cases.append(Case(name, given, shape, draw, theirs, again))


def _of_torch(name, given):
    """torch's loss of the same name and arguments, arrays as tensors."""

    def make(torch):
        arguments = {
            k: torch.tensor(v, dtype=torch.double) if isinstance(v, list) else v
            for k, v in given.items()
        }
        return getattr(torch.nn, name)(**arguments)

    return make


def _bound(written, given):
    return lambda torch: lambda *tensors: written(torch, *tensors, **given)


# --- how numbers are drawn ------------------------------------------------------------------------


def exact(array):
    """Numbers that float32 holds."""
    return np.asarray(array, np.float32).astype(np.float64)


def values(shape):
    return [2 * numbers(0, *shape)], numbers(1, *shape)


def far_values(shape):
    return [8 * numbers(2, *shape)], numbers(3, *shape)


def probabilities(shape):
    p = exact(1 / (1 + np.exp(-numbers(0, *shape))))
    target = exact(np.abs(np.sin(numbers(1, *shape))))
    target.flat[:2] = 0, 1
    return [p], target


def binary_logits(shape):
    target = exact(np.abs(np.sin(numbers(1, *shape))))
    target.flat[:2] = 0, 1
    return [5 * numbers(0, *shape)], target


def zeros_and_ones(shape):
    return [3 * numbers(0, *shape)], (numbers(1, *shape) > 0).astype(np.float64)


def labels(shape):
    """Classes of each example, or of each place; every other one is the first class."""
    batch, classes, *places = shape
    drawn = np.abs(numbers(4, batch, *places) * 1000).astype(np.int64) % classes
    return [3 * numbers(0, *shape)], drawn


def some_ignored(shape):
    """The same, with places, and one whole example, that are left out."""
    outputs, target = labels(shape)
    target.flat[::3] = IGNORED
    target[1] = IGNORED
    return outputs, target


def distributions(shape):
    drawn = np.abs(numbers(1, *shape))
    return [3 * numbers(0, *shape)], exact(drawn / drawn.sum(axis=1, keepdims=True))


def log_softmax(x):
    shifted = x - x.max(axis=1, keepdims=True)
    return exact(shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True)))


def log_p_and_labels(shape):
    (logits,), target = labels(shape)
    return [log_softmax(logits)], target


def log_p_and_some_ignored(shape):
    (logits,), target = some_ignored(shape)
    return [log_softmax(logits)], target


def log_p_and_distributions(shape):
    (logits,), target = distributions(shape)
    return [log_softmax(logits)], target


def log_p_and_sure(shape):
    """Distributions in which some classes never come."""
    (logits,), target = distributions(shape)
    target[0] = 0
    target[0, 0] = 1
    return [log_softmax(logits)], target


def log_p_and_log_distributions(shape):
    (logits,), _ = distributions(shape)
    return [log_softmax(logits)], log_softmax(numbers(5, *shape))


def log_rates(shape):
    return [numbers(0, *shape)], np.abs(np.rint(4 * numbers(1, *shape)))


def rates(shape):
    return [np.abs(numbers(0, *shape)) + 0.25], np.abs(np.rint(4 * numbers(1, *shape)))


def means_and_variances(shape):
    return [numbers(0, *shape), np.abs(numbers(2, *shape)) + 0.25], numbers(1, *shape)


def small_variances(shape):
    """Some of them below the least one that counts."""
    variances = np.abs(numbers(2, *shape)) + 0.25
    variances.flat[::2] = 0.0625
    return [numbers(0, *shape), variances], numbers(1, *shape)


def one_variance_each(shape):
    return [numbers(0, *shape), np.abs(numbers(2, *shape[:-1], 1)) + 0.25], numbers(1, *shape)


def signs(shape):
    return [2 * numbers(0, *shape)], np.where(numbers(1, *shape) > 0, 1.0, -1.0)


def distances(shape):
    return [np.abs(numbers(0, *shape))], np.where(numbers(1, *shape) > 0, 1.0, -1.0)


def pairs_of_vectors(shape):
    return [numbers(0, *shape), numbers(1, *shape)], np.resize([1.0, -1.0], shape[0])


def pairs_of_values(shape):
    target = np.where(numbers(2, *shape) > 0, 1.0, -1.0)
    return [numbers(0, *shape), numbers(1, *shape)], target


def triplets(shape):
    return [numbers(seed, *shape) for seed in (0, 1, 2)], None


# --- what torch does not have, or not twice, written in its functions -----------------------------


def quadratic(torch, o, t):
    return 0.5 * ((o - t) ** 2).sum() / len(o)


def rmse(torch, o, t):
    return ((o - t) ** 2).mean().sqrt()


def bce(torch, p, t, weight=1.0):
    weight = torch.tensor(weight, dtype=torch.double)
    return (weight * (-t * p.log() - (1 - t) * (-p).log1p())).mean()


def hinge(torch, o, t, margin=1.0, power=1):
    return (margin - t * o).clamp(min=0).pow(power).mean()


def squared_hinge(torch, o, t, margin=1.0):
    return hinge(torch, o, t, margin, 2)


def multi_margin(torch, o, t, p=1, margin=1.0, weight=None):
    scores = torch.movedim(o, 1, -1)
    of_target = scores.gather(-1, t[..., None])
    others = torch.ones_like(scores).scatter(-1, t[..., None], 0.0)
    costs = ((margin - of_target + scores).clamp(min=0) ** p * others).mean(dim=-1)
    if weight is not None:
        costs = torch.tensor(weight, dtype=torch.double)[t] * costs
    return costs.mean()


def focal(torch, o, t, alpha=0.25, gamma=2.0):
    """Lin et al. 2017, eq. 5, as torchvision computes it."""
    p = torch.sigmoid(o)
    p_t = p * t + (1 - p) * (1 - t)
    costs = torch.nn.functional.binary_cross_entropy_with_logits(o, t, reduction="none")
    costs = costs * (1 - p_t) ** gamma
    return (costs if alpha is None else (alpha * t + (1 - alpha) * (1 - t)) * costs).mean()


def multiclass_focal(torch, o, t, alpha=None, gamma=2.0, ignore_index=IGNORED):
    kept = t != ignore_index
    labels = torch.where(kept, t, 0)
    log_p = torch.nn.functional.log_softmax(o, dim=1).gather(1, labels[:, None])[:, 0]
    costs = -((1 - log_p.exp()) ** gamma) * log_p
    if alpha is not None:
        costs = torch.tensor(alpha, dtype=torch.double)[labels] * costs
    return costs[kept].mean()


def kl_divergence(torch, o, t, log_target=False):
    # torch's "mean" divides by the number of outputs as well, and warns that it will not.
    return torch.nn.KLDivLoss(reduction="batchmean", log_target=log_target)(o, t)


def gaussian(torch, mean, variance, t, **given):
    return torch.nn.GaussianNLLLoss(**given)(mean, t, variance)


def triplet(torch, anchor, positive, negative, **given):
    return torch.nn.TripletMarginLoss(**given)(anchor, positive, negative)


def weights(count):
    """Weights of classes that float32 holds."""
    return [0.5, 2.0, 1.25, 4.0][:count]


def make_grid():
    """All cases."""
    grid = Grid()
    grid.add("MSELoss", ELEMENTS, [values], [{}])
    grid.add("QuadraticLoss", ELEMENTS, [values], [{}], quadratic)
    grid.add("RMSELoss", ELEMENTS, [values], [{}], rmse)
    grid.add("L1Loss", ELEMENTS, [values], [{}])
    deltas = [{}, {"delta": 0.25}, {"delta": 3.0}]
    grid.add("HuberLoss", ELEMENTS, [values, far_values], deltas)
    betas = [{}, {"beta": 0.25}, {"beta": 3.0}, {"beta": 0.0}]
    grid.add("SmoothL1Loss", ELEMENTS, [values, far_values], betas)

    for shape in CLASSES:
        w = {"weight": weights(shape[1])}
        smooth, ignore = {"label_smoothing": 0.125}, {"ignore_index": IGNORED}
        every = {"label_smoothing": 1.0}
        plain = [{}, w, smooth, w | smooth, every, w | every]
        grid.add("CrossEntropyLoss", [shape], [labels], [*plain, {"ignore_index": 0}])
        grid.add("CrossEntropyLoss", [shape], [some_ignored], [given | ignore for given in plain])
        grid.add("CrossEntropyLoss", [shape], [distributions], plain)
        grid.add("NLLLoss", [shape], [log_p_and_labels], [{}, w, {"ignore_index": 0}])
        grid.add("NLLLoss", [shape], [log_p_and_some_ignored], [ignore, w | ignore])
        alpha = {"alpha": weights(shape[1])}
        gammas = [{}, {"gamma": 0.0}, {"gamma": 1.0}, {"gamma": 0.5} | alpha, alpha]
        grid.add("MulticlassFocalLoss", [shape], [labels], gammas, multiclass_focal)
        grid.add("MulticlassFocalLoss", [shape], [some_ignored], [ignore], multiclass_focal)
        margins = [{}, {"p": 2}, {"margin": 0.5}, {"p": 2, "margin": 2.0} | w, w]
        theirs = None if len(shape) == 2 else multi_margin
        grid.add("MultiMarginLoss", [shape], [labels], margins, theirs, multi_margin)

    for shape in ROWS:
        per_output = {"weight": weights(shape[-1])}
        positive = {"pos_weight": [3.0, 0.25, 1.5, 1.0][: shape[-1]]}
        grid.add(
            "BCELoss", [shape], [probabilities], [{}, {"weight": [2.5]}, per_output], None, bce
        )
        options = [{}, per_output, positive, per_output | positive, {"pos_weight": [2.5]}]
        grid.add("BCEWithLogitsLoss", [shape], [binary_logits], options)
    grid.add("BCEWithLogitsLoss", [(7,)], [binary_logits], [{}, {"pos_weight": [2.5]}])
    for shape in [(4, 3), (3, 1)]:
        options = [{}, {"weight": weights(shape[1])}]
        grid.add("MultiLabelSoftMarginLoss", [shape], [zeros_and_ones], options)
    focals = [{}, {"gamma": 0.0}, {"gamma": 0.5, "alpha": None}, {"alpha": 0.75, "gamma": 5.0}]
    grid.add("FocalLoss", ELEMENTS, [zeros_and_ones], focals, focal)

    chances = [log_p_and_distributions, log_p_and_sure]
    grid.add("KLDivLoss", ROWS, chances, [{}], kl_divergence)
    logs = [{"log_target": True}]
    grid.add("KLDivLoss", ROWS, [log_p_and_log_distributions], logs, kl_divergence)
    grid.add("PoissonNLLLoss", ELEMENTS, [log_rates], [{}, {"full": True}])
    linear = [{}, {"full": True}, {"eps": 0.125}]
    linear = [{"log_input": False} | given for given in linear]
    grid.add("PoissonNLLLoss", ELEMENTS, [rates], linear)
    full = [{}, {"full": True}]
    grid.add("GaussianNLLLoss", ELEMENTS, [means_and_variances], full, gaussian)
    grid.add("GaussianNLLLoss", ROWS, [one_variance_each], full, gaussian)
    grid.add("GaussianNLLLoss", ELEMENTS, [small_variances], [{"eps": 0.125}], gaussian)

    margins = [{}, {"margin": 0.5}]
    grid.add("HingeLoss", ELEMENTS, [signs], margins, hinge)
    grid.add("SquaredHingeLoss", ELEMENTS, [signs], margins, squared_hinge)
    grid.add("SoftMarginLoss", ELEMENTS, [signs], [{}])
    grid.add("HingeEmbeddingLoss", ELEMENTS, [distances], margins)
    cosines = [{}, {"margin": 0.25}, {"margin": -0.5}]
    grid.add("CosineEmbeddingLoss", VECTORS, [pairs_of_vectors], cosines)
    grid.add("MarginRankingLoss", ELEMENTS, [pairs_of_values], [{}, {"margin": 0.5}])
    norms = [{}, {"margin": 0.25}, {"p": 1.0}, {"p": 3.0}, {"eps": 0.125}]
    norms += [{"swap": True}, {"swap": True, "p": 1.5, "margin": 2.0}]
    grid.add("TripletMarginLoss", VECTORS, [triplets], norms, triplet)
    return grid.cases
