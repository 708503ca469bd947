"""fit: train a network on examples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from chainrule.backends import get_backend
from chainrule.base.errors import ConfigurationError
from chainrule.graph import DType
from chainrule.nn import Module, as_loss, make_metric
from chainrule.nn.evaluation import Evaluator
from chainrule.optim import SGD, Optimizer, ReduceLROnPlateau, Schedule
from chainrule.train.callbacks import Callback
from chainrule.train.engine import Engine
from chainrule.train.loop import Loop, StreamLoop
from chainrule.train.plan import LearningRate, Plan
from chainrule.train.progress import make_progress
from chainrule.train.reading import Reader
from chainrule.train.refusals import check_counts, check_plan, check_trainable
from chainrule.train.run import Run
from chainrule.train.sources import StreamSource
from chainrule.train.step import Recipe


def fit(
    net: Module,
    x: Any,
    y: Any = None,
    *,
    loss: Any = "MSELoss",
    optimizer: Optimizer | None = None,
    batch_size: int = 32,
    epochs: int = 1,
    validation: tuple[Any, ...] | None = None,
    validation_split: float | None = None,
    metrics: Sequence[str] = (),
    sample_weight: Any = None,
    class_weight: Mapping[int, float] | Sequence[float] | None = None,
    accumulate: int = 1,
    drop_last: bool = False,
    schedule: Schedule | ReduceLROnPlateau | None = None,
    callbacks: Sequence[Callback] = (),
    backend: str = "auto",
    dtype: object = "float32",
    threads: int | None = None,
    seed: int = 0,
    shuffle: bool = True,
    progress: bool = True,
    folder: str | Path | None = None,
) -> Run:
    """Train `net`, and return the run.

    Parameters
    ----------
    net : Module
        Parameters that have no numbers yet are drawn from `seed`. They change in place.
    x : array of shape (N, ...)
        Examples; a tuple of arrays for a network with several inputs; an object with
        ``__len__`` whose items are pairs ``(x, y)``; or a generator of batches ``(x, y)`` or
        ``(x, y, sample_weight)`` (a function that makes one, where there are several epochs).
    y : array of shape (N, ...)
        Targets, where `x` does not bring them.
    loss : Loss, its name, or a function of (output, target) to one cost per example, [B]
    optimizer : Optimizer
        ``SGD(lr=0.01)`` by default. It goes on from the state it has.
    batch_size, epochs : int
    validation : tuple (x, y) or (x, y, sample_weight)
        Evaluated after each epoch, as ``val_loss`` and so on.
    validation_split : float
        The share of the examples that is held out for this, chosen by the seed.
    metrics : sequence of str
        Registered metrics, such as ``"accuracy"``.
    sample_weight : array of shape (N,)
    class_weight : mapping or sequence
        A weight for each class. The loss of a batch is Σ wᵢ·lᵢ / Σ wᵢ, w being their product.
    accumulate : int
        How many batches make one update; their gradients count as one large batch's.
    drop_last : bool
        Leave out the last, short batch of an epoch.
    schedule : Schedule or ReduceLROnPlateau
    callbacks : sequence of Callback
    backend : str
        ``"auto"``, ``"numpy"``.
    dtype : str
        ``"float32"`` or ``"float64"``; the network is converted to it.
    threads : int
        For backends that use several; NumPy's own library decides for itself.
    seed : int
        Draws what is not drawn yet, and drives shuffling, dropout and the validation split.
    shuffle : bool
        Whether each epoch has its own order.
    progress : bool
        Show a bar, if there is a terminal to show it on.
    folder : path
        Keep the run there, so that it can be resumed and replayed.

    Returns
    -------
    Run
        Also after Ctrl-C: the run so far.

    Raises
    ------
    TrainingError
        If no update could ever happen.
    NonFiniteError
        If the data holds NaN or infinity (with row and column), or a step computes it (with the
        op, the layer and the line). The network then holds the weights from before that step.
    ShapeError, TargetError, ConfigurationError
        If something does not fit, before training starts.
    """
    check_counts(batch_size, epochs, accumulate)
    check_trainable(net)
    kind = DType.of(dtype)
    if not kind.is_float:
        raise ConfigurationError(f"Training computes in float32 or float64; got {kind.numpy}")
    criterion = as_loss(loss)
    optimizer = optimizer if optimizer is not None else SGD(lr=0.01)
    net.astype(kind)
    net.initialize(seed)
    reader = Reader(criterion, kind.numpy, sample_weight, class_weight)
    examples = reader.read(x, y, epochs)
    held_out = None if validation is None else reader.read_validation(validation)
    if validation_split is not None:
        examples, held_out = reader.split(examples, held_out, validation_split, seed)
    # A stream's first batch stands for all of them until they come.
    source = examples.first if isinstance(examples, StreamSource) else examples
    sample = source.sample_target()
    criterion.check_target(sample, None)
    made = {name: make_metric(name, criterion, sample) for name in metrics}
    streamed = isinstance(examples, StreamSource)
    plan = Plan(source.count, batch_size, accumulate, drop_last, shuffle, seed)
    plateau = schedule if isinstance(schedule, ReduceLROnPlateau) else None
    rate = LearningRate(optimizer.lr, schedule if isinstance(schedule, Schedule) else None)
    recipe = Recipe(net, criterion, optimizer, made, source.weighted)
    engine = Engine(recipe, source, plan, rate, get_backend(backend))
    if not streamed:
        check_plan(plan)
    # Traced before anything runs: what does not fit is said at the user's line.
    output = engine.step.output
    if output is not None and len(output.shape) > 1:
        criterion.check_target(sample, int(output.shape[-1]))
    evaluator = Evaluator(net, criterion, made)
    run = Run(net, None if streamed else engine)
    parts = (run, engine, evaluator, held_out, plateau, callbacks, make_progress(progress))
    if isinstance(examples, StreamSource):
        loop: Loop = StreamLoop(*parts, stream=examples)
    else:
        loop = Loop(*parts)
    net.trained_with = (criterion, tuple(metrics))
    loop.train(epochs)
    return run
