"""Experiment: what a training is made of. Options fill one in, a TOML file is one.

Whatever is left out is decided by `complete`, which knows the data; a completed experiment leaves
nothing open, so that it can be kept beside the model and run again. Names of losses, layers,
optimisers and metrics are those of their registries; `choices.py` says how they may be spelled.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import Meta, Struct, field

Share = Annotated[float, Meta(ge=0, lt=1)]
Count = Annotated[int, Meta(ge=1)]
Seed = Annotated[int, Meta(ge=0)]
Task = Literal["classification", "regression"]
Options = dict[str, Any]
"""``name`` and the options of what is registered under it."""


class Data(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is learned from.

    Attributes
    ----------
    name
        A data set of ``chainrule data``, or a worked example.
    options
        What a generated data set takes: ``{ n = 500, noise = 0.2 }``.
    file
        A CSV file instead; a path from the folder of the experiment file.
    target, features, categorical, task, separator
        Which columns of it mean what, as `chainrule.data.read_table` takes them.
    test
        The share of the examples that is held out: never trained on, and nothing is decided by it.
        A data set with a test part of its own has that instead.
    validation
        The share of the others that is evaluated after each epoch and decides when to stop early.
    seed
        Chooses which examples these are.
    standardize
        Whether inputs, and numbers to predict, are brought to mean 0 and deviation 1.
    """

    name: str | None = None
    options: dict[str, int | float | str] = {}
    file: str | None = None
    target: str | None = None
    features: list[str] | None = None
    categorical: list[str] = []
    task: Task | None = None
    separator: str | None = None
    test: Share | None = None
    validation: Share | None = None
    seed: Seed = 0
    standardize: bool | None = None


class Network(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A chain of layers, by the width of the hidden ones or one by one.

    Attributes
    ----------
    hidden
        How many units each hidden layer has; none makes a network without hidden layers.
    activation
        What each hidden layer ends with.
    dropout
        The share of each hidden layer's units that is dropped in training.
    output
        What the last layer ends with; by default nothing, or a sigmoid where the loss compares
        values with classes.
    layers
        All layers instead: ``{ kind = "Linear", out_features = 30 }``, … Sizes that follow from
        the layer before may be left out.
    """

    hidden: list[Count] | None = None
    activation: str | None = None
    dropout: Share = 0.0
    output: str | None = None
    layers: list[Options] | None = None


class Training(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How it is trained.

    Attributes
    ----------
    epochs, batch_size, accumulate, drop_last, shuffle, dtype, backend, threads
        As `chainrule.fit` takes them.
    seeds
        One training for each: it draws the weights, the order of examples, and dropout.
    early_stopping
        After how many epochs without improvement on the validation part to stop; the weights of
        the best epoch are kept.
    """

    epochs: Count | None = None
    batch_size: Count | None = None
    seeds: Annotated[list[Seed], Meta(min_length=1)] = field(default_factory=lambda: [0])
    early_stopping: Count | None = None
    accumulate: Count = 1
    drop_last: bool = False
    shuffle: bool = True
    dtype: Literal["float32", "float64"] | None = None
    backend: str = "auto"
    threads: Count | None = None


class Experiment(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A training, as data.

    Attributes
    ----------
    title
        A line about it.
    loss
        A name, or ``name`` and its options.
    metrics
        Names.
    data, network, training
        See there.
    optimizer, schedule
        ``name`` and its options.
    penalty
        What weights cost: for each penalty, ``name`` and its options.
    """

    title: str | None = None
    loss: str | Options | None = None
    metrics: list[str] | None = None
    data: Data = Data()
    network: Network = Network()
    optimizer: Options = {}
    schedule: Options = {}
    penalty: list[Options] = []
    training: Training = Training()
