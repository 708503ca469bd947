"""From a completed experiment to the objects that `chainrule.fit` takes."""

from __future__ import annotations

import inspect
from typing import Any

from chainrule.base.errors import ConfigurationError, NameNotFoundError
from chainrule.base.registry import Registry
from chainrule.cli.experiment import Experiment, Network, Options
from chainrule.data import Dataset
from chainrule.data.worked import WorkedExample
from chainrule.nn import (
    LAYERS,
    LOSSES,
    PENALTIES,
    Linear,
    Loss,
    Module,
    Penalty,
    Sequential,
    as_loss,
)
from chainrule.optim import Optimizer, ReduceLROnPlateau, Schedule

# What a layer calls the width of what it reads; it follows from the layer before.
_WIDTH_READ = ("in_features", "num_features", "num_channels", "normalized_shape")
_WIDTH_MADE = "out_features"


def build_loss(experiment: Experiment) -> Loss:
    """Return the loss of a completed experiment."""
    return make_loss(experiment.loss or "")


def make_loss(described: str | Options) -> Loss:
    """Return the loss of a name, or of a name and options.

    Raises
    ------
    NameNotFoundError, ConfigurationError
        If it has no such option, or an option no such value.
    """
    if isinstance(described, str):
        return as_loss(described)
    made: Loss = _with_options(LOSSES, described, "loss")
    return made


def build_penalties(experiment: Experiment) -> list[Penalty]:
    """Return what weights cost beside the examples."""
    return [_with_options(PENALTIES, each, "penalty") for each in experiment.penalty]


def build_optimizer(experiment: Experiment) -> Optimizer:
    """Return a new optimiser.

    Raises
    ------
    NameNotFoundError, ConfigurationError
        If it has no such option, or an option no such value.
    """
    options = dict(experiment.optimizer)
    return Optimizer.from_configuration(options.pop("name"), options)


def build_schedule(experiment: Experiment) -> Schedule | ReduceLROnPlateau | None:
    """Return a new schedule of the learning rate, if there is one."""
    options = dict(experiment.schedule)
    return Schedule.from_configuration(options.pop("name"), options) if options else None


def outputs_of(dataset: Dataset, loss: Loss) -> int:
    """Return how many outputs the network has for this data and loss."""
    if dataset.task == "regression":
        return int(dataset.y.shape[1])
    classes = len(dataset.class_names)
    says_yes_or_no = loss.targets in ("zeros and ones", "signs")
    return 1 if says_yes_or_no and classes == 2 else classes


def build_network(network: Network, inputs: int, outputs: int) -> Sequential:
    """Return the network, its parameters not drawn yet.

    Parameters
    ----------
    network : Network
        Completed.
    inputs, outputs : int
        How many numbers it reads and gives.

    Raises
    ------
    ConfigurationError, NameNotFoundError
        If a layer cannot be made like this.
    """
    if network.layers is not None:
        return _listed(network.layers, inputs)
    layers: list[Module] = []
    width = inputs
    for size in network.hidden or []:
        layers += [Linear(width, size), _made(network.activation or "ReLU", {})]
        if network.dropout:
            layers.append(_made("Dropout", {"p": network.dropout}))
        width = size
    layers.append(Linear(width, outputs))
    if network.output:
        layers.append(_made(network.output, {}))
    return Sequential(*layers)


def start_as_in_the_textbook(net: Module, example: WorkedExample) -> None:
    """Give a worked example's network its first numbers, and freeze what is not trained."""
    net.astype(example.dtype)
    net.load_state_dict(example.state(), strict=False)
    for name, parameter in net.named_parameters():
        parameter.requires_grad = name not in example.frozen


def described(net: Module, inputs: int) -> str:
    """Return a chain in one line: ``4 -> 64 ReLU -> 3``."""
    words: list[str] = [str(inputs)]
    for module in net if isinstance(net, Sequential) else [net]:
        if isinstance(module, Linear):
            words.append(f"-> {module.out_features}")
        else:
            share = getattr(module, "p", None)
            words.append(type(module).__name__ + (f" {share:g}" if share is not None else ""))
    return " ".join(words)


def _listed(layers: list[dict[str, Any]], inputs: int) -> Sequential:
    made = []
    width = inputs
    for i, layer in enumerate(layers):
        options = {key: value for key, value in layer.items() if key != "kind"}
        known = inspect.signature(LAYERS.get(layer["kind"])).parameters
        for name in _WIDTH_READ:
            if name in known:
                options.setdefault(name, width)
        for name in options:
            if name not in known:
                raise NameNotFoundError.among(
                    f"option of {layer['kind']}", name, known, where=f"network.layers, layer {i}"
                )
        made.append(_made(layer["kind"], options, where=f"network.layers, layer {i}"))
        width = options.get(_WIDTH_MADE, width)
    if not made:
        raise ConfigurationError("network.layers lists no layer")
    return Sequential(*made)


def _with_options(registry: Registry[Any], described: Options, section: str) -> Any:
    options = {key: value for key, value in described.items() if key != "name"}
    kind = registry.get(described["name"], where=f"[{section}]")
    known = inspect.signature(kind).parameters
    for name in options:
        if name not in known:
            raise NameNotFoundError.among(
                f"option of {described['name']}", name, known, where=f"[{section}]"
            )
    try:
        return kind(**options)
    except TypeError as error:
        raise ConfigurationError(
            f"{described['name']} cannot be made of {options or 'nothing'}: {error}",
            where=f"[{section}]",
        ) from None


def _made(kind: str, options: dict[str, Any], where: str | None = None) -> Module:
    try:
        return LAYERS.get(kind, where=where)(**options)
    except TypeError as error:
        raise ConfigurationError(
            f"{kind} cannot be made of {options or 'nothing'}: {error}", where=where
        ) from None
