"""What an experiment leaves open, decided by the data: each default is one rule that can be told.

- Answers that are classes: CrossEntropyLoss and accuracy; numbers: MSELoss and mae.
- Inputs, and numbers to predict, are standardised, but for images, which are between 0 and 1.
- One example in five is held out; of fewer than 20 examples, none.
- Adam with a rate of 0.003, on one hidden layer of 64 ReLU units, in batches of 32, until some
  2,000 updates are made: at least 5 epochs, at most 200.
- A worked example is trained as its textbook does.
"""

from __future__ import annotations

from typing import Any

import msgspec

from chainrule.backends import BACKENDS
from chainrule.base.errors import ConfigurationError
from chainrule.cli.building import make_loss
from chainrule.cli.choices import activations, metric, registered, spelled
from chainrule.cli.experiment import Data, Experiment, Network, Options, Training
from chainrule.cli.sources import Source
from chainrule.data.worked import WorkedExample
from chainrule.nn import LAYERS, LOSSES, PENALTIES
from chainrule.optim import OPTIMIZERS, SCHEDULES

FEWEST_TO_SPLIT = 20
HELD_OUT = 0.2
HIDDEN = [64]
BATCH = 32
UPDATES = 2000
EPOCHS_AT_LEAST, EPOCHS_AT_MOST = 5, 200
OPTIMIZER: Options = {"name": "Adam", "lr": 0.003}

# Which last activation makes outputs of classes what a loss takes them for.
_ENDS = {"values": "Sigmoid", "probabilities": "Sigmoid", "log-probabilities": "LogSoftmax"}

replace = msgspec.structs.replace


def complete(experiment: Experiment, source: Source) -> Experiment:
    """Return the experiment with nothing left open.

    Raises
    ------
    NameNotFoundError
        If a loss, a layer, an optimiser … is not registered.
    ConfigurationError
        If settings contradict each other.
    """
    dataset, example = source.dataset, source.example
    if example is not None:
        experiment = _as_in_the_textbook(experiment, example)
    is_classes = dataset.task == "classification"
    loss = _loss(experiment.loss or ("CrossEntropyLoss" if is_classes else "MSELoss"))
    metrics = (
        ["accuracy" if is_classes else "mae"]
        if experiment.metrics is None
        else [metric(name) for name in experiment.metrics]
    )
    training = _training(experiment, source)
    data = _data(experiment.data, source, training)
    return replace(
        experiment,
        loss=loss,
        metrics=metrics,
        data=data,
        network=_network(experiment.network, loss, is_classes),
        optimizer=_named(OPTIMIZERS, experiment.optimizer or OPTIMIZER, "optimizer"),
        schedule=_named(SCHEDULES, experiment.schedule, "schedule"),
        penalty=[_named(PENALTIES, each, "penalty") for each in experiment.penalty],
        training=_with_epochs(training, data, source),
    )


def _as_in_the_textbook(experiment: Experiment, example: WorkedExample) -> Experiment:
    """Fill in a worked example's own settings wherever none are given."""
    training, network = experiment.training, experiment.network
    values = {value for row in example.targets for value in row}
    is_classes = values <= {0.0, 1.0} or values <= {-1.0, 1.0}
    return replace(
        experiment,
        loss=experiment.loss or example.loss,
        metrics=(["accuracy"] if is_classes else [])
        if experiment.metrics is None
        else experiment.metrics,
        data=replace(
            experiment.data,
            test=example.validation_split if experiment.data.test is None else experiment.data.test,
            standardize=bool(experiment.data.standardize),
        ),
        network=network if network.hidden or network.layers else textbook_network(example),
        optimizer=experiment.optimizer or {"name": "SGD", "lr": example.learning_rate},
        training=replace(
            training,
            epochs=training.epochs or example.epochs,
            batch_size=training.batch_size or example.batch_size,
            dtype=training.dtype or example.dtype,
        ),
    )


def textbook_network(example: WorkedExample) -> Network:
    """Return a worked example's layers."""
    return Network(
        layers=[
            {k: v for k, v in msgspec.structs.asdict(layer).items() if v is not None}
            for layer in example.layers
        ]
    )


def _training(experiment: Experiment, source: Source) -> Training:
    training = experiment.training
    seeds = training.seeds
    if len(set(seeds)) < len(seeds):
        raise ConfigurationError(f"Each seed is used once; got {', '.join(map(str, seeds))}")
    backend = spelled("backend", ["auto", *BACKENDS], training.backend)
    return replace(
        training,
        batch_size=training.batch_size or BATCH,
        dtype=training.dtype or "float32",
        backend=backend,
    )


def _data(data: Data, source: Source, training: Training) -> Data:
    dataset = source.dataset
    test = data.test
    if dataset.test is not None and test is not None:
        raise ConfigurationError(
            f"{dataset.name} has {len(dataset.test):,} examples of its own to test on, so no share "
            "is to be held out",
            advice="Leave out --test; --validation takes a share of the training examples",
        )
    if dataset.test is None and test is None:
        test = HELD_OUT if len(dataset) >= FEWEST_TO_SPLIT else 0.0
    validation = data.validation
    if training.early_stopping and validation is None:
        validation = HELD_OUT
    if training.early_stopping and not validation:
        raise ConfigurationError(
            "Early stopping decides by a validation part, and there is none",
            advice="Say how large it is: --validation 0.2",
        )
    standardize = not dataset.image_shape if data.standardize is None else data.standardize
    return replace(data, test=test, validation=validation, standardize=standardize)


def _with_epochs(training: Training, data: Data, source: Source) -> Training:
    if training.epochs is not None:
        return training
    share = (1 - (data.test or 0)) * (1 - (data.validation or 0))
    size = (training.batch_size or BATCH) * training.accumulate
    updates = max(1, round(len(source.dataset) * share / size))
    epochs = min(max(round(UPDATES / updates), EPOCHS_AT_LEAST), EPOCHS_AT_MOST)
    return replace(training, epochs=epochs)


def _loss(given: str | Options) -> str | Options:
    """Spell its name as it is registered; with no options the name is all."""
    if isinstance(given, str):
        return registered(LOSSES, given)
    named = _named(LOSSES, given, "loss")
    return named if len(named) > 1 else str(named["name"])


def _network(network: Network, loss: str | Options, is_classes: bool) -> Network:
    if network.layers is not None:
        for key in ("hidden", "activation", "output"):
            if getattr(network, key) is not None:
                raise ConfigurationError(f"network.layers says it all: leave out network.{key}")
        layers = [_layer(layer) for layer in network.layers]
        return replace(network, layers=layers)
    output = network.output or _ENDS.get(make_loss(loss).outputs if is_classes else "")
    known = activations()
    return replace(
        network,
        hidden=HIDDEN if network.hidden is None else network.hidden,
        activation=spelled("activation", known, network.activation or "ReLU"),
        output=spelled("activation", known, output) if output else None,
    )


def _layer(layer: Options) -> Options:
    if not isinstance(layer.get("kind"), str):
        raise ConfigurationError(
            "A layer is a table with its kind",
            where="network.layers",
            advice='For example { kind = "Linear", out_features = 30 }',
        )
    return {**layer, "kind": registered(LAYERS, layer["kind"], where="network.layers")}


def _named(registry: Any, options: Options, section: str) -> Options:
    if not options:
        return {}
    name = options.get("name", OPTIMIZER["name"] if section == "optimizer" else None)
    if not isinstance(name, str):
        raise ConfigurationError(
            f"[{section}] needs a name", advice=f"One of: {', '.join(registry)}"
        )
    rest = {key: value for key, value in options.items() if key != "name"}
    if not rest and section == "optimizer" and name == OPTIMIZER["name"]:
        return OPTIMIZER
    return {"name": registered(registry, name), **rest}
