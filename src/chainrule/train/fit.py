"""fit: train a network on examples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from chainrule.nn import Module
from chainrule.nn.evaluation import InputTypes
from chainrule.nn.metrics import Definition
from chainrule.nn.penalties import Penalty
from chainrule.optim import Optimizer, ReduceLROnPlateau, Schedule
from chainrule.train.callbacks import Callback
from chainrule.train.experiment import Experiment
from chainrule.train.folder import RunFolder
from chainrule.train.loop import run_loop
from chainrule.train.progress import make_progress
from chainrule.train.reading import Reader
from chainrule.train.refusals import check_measurable
from chainrule.train.run import Run
from chainrule.train.settings import Settings, float_name, listed_metrics
from chainrule.train.setup import Data, Parts, check_callbacks, prepare
from chainrule.train.snapshots import Position, Standing
from chainrule.train.state import initial_state


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
    metrics: Sequence[str | Definition] = (),
    sample_weight: Any = None,
    class_weight: Mapping[int, float] | Sequence[float] | None = None,
    accumulate: int = 1,
    drop_last: bool = False,
    schedule: Schedule | ReduceLROnPlateau | None = None,
    penalty: Penalty | Sequence[Penalty] | None = None,
    callbacks: Sequence[Callback] = (),
    backend: str = "auto",
    dtype: object = "float32",
    threads: int | None = None,
    seed: int = 0,
    shuffle: bool = True,
    progress: bool = True,
    folder: str | Path | None = None,
    origin: Any = None,
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
        Arrays are copied, except those that nobody can write in, such as a loaded `Dataset`'s.
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
    metrics : sequence of str or Definition
        Registered metrics, such as ``"accuracy"``, ``"f1_macro"``, ``nn.metrics.TopKAccuracy(3)``.
        What needs all examples at once, such as ``"auc"``, is evaluated on the validation data
        alone, as ``val_auc``; without such it is refused.
    sample_weight : array of shape (N,)
    class_weight : mapping or sequence
        A weight for each class. The loss of a batch is Σ wᵢ·lᵢ / Σ wᵢ, w being their product.
        Examples of weight 0 are left out, as if they were not there.
    accumulate : int
        How many batches make one update; their gradients count as one large batch's.
    drop_last : bool
        Leave out what does not fill an update at the end of an epoch; otherwise it makes a short
        one.
    schedule : Schedule or ReduceLROnPlateau
    penalty : Penalty or sequence of Penalty
        What parameters cost beside the examples, such as ``nn.L2Penalty(1e-4)``; shown in history
        by itself.
    callbacks : sequence of Callback
    backend : str
        What computes: ``"native"`` compiles the training for this processor, ``"numpy"`` is the
        reference. ``"auto"`` is native where llvmlite starts; elsewhere a `BackendWarning` says
        why it is NumPy.
    dtype : str
        ``"float32"`` or ``"float64"``; the network is converted to it.
    threads : int
        How many share the work of a step, if it is large enough; by default as many as this
        process may use processors, and 8 at most. No number depends on it. With NumPy, its own
        library decides.
    seed : int
        Draws what is not drawn yet, and drives shuffling, dropout and the validation split.
    shuffle : bool
        Whether each epoch has its own order.
    progress : bool
        Show a bar, if there is a terminal to show it on.
    folder : path
        Keep the run there, so that it can be resumed (`resume`) and replayed (`load_run`). The
        folder is new or empty.
    origin : object
        Kept in the run folder, for whoever has to find the data again: anything JSON can hold.

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
    NotEnoughMemoryError
        If it would take more memory than there is, before it is taken.
    """
    settings = Settings(
        batch_size=batch_size,
        epochs=epochs,
        accumulate=accumulate,
        drop_last=drop_last,
        shuffle=shuffle,
        seed=seed,
        dtype=float_name(dtype),
        validation_split=validation_split,
        metrics=listed_metrics(metrics),
        backend=backend,
        threads=threads,
    )
    watching = check_callbacks(callbacks)
    parts = Parts.of(net, loss, optimizer, schedule, penalty, settings)
    reader = Reader(parts.loss, InputTypes.of(parts.net), sample_weight, class_weight)
    setup = prepare(parts, Data.read(reader, x, y, validation, settings), settings)
    check_measurable(setup.engine.recipe.measures, is_watched=setup.evaluator is not None)
    accumulates = settings.accumulate > 1
    state = initial_state(setup.engine.recipe, settings.seed, accumulate=accumulates)
    standing = Standing(Position(), state)
    bar = make_progress(progress)
    if folder is None:
        return run_loop(setup, standing, watching, bar, None, origin)
    kept = RunFolder.new(folder)
    with kept.locked():
        kept.check_unused()
        experiment = Experiment.of(setup, watching, class_weight, origin)
        kept.begin(experiment, setup.engine.text(), standing)
        return run_loop(setup, standing, watching, bar, kept, origin)
