"""Penalties: what large parameters cost, beside the loss of the examples."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from functools import reduce
from operator import add
from typing import Any

from chainrule.base.errors import ConfigurationError, NameNotFoundError
from chainrule.base.registry import Registry
from chainrule.eager import Tensor, as_tensor
from chainrule.nn.arguments import as_number
from chainrule.nn.configured import Configured
from chainrule.nn.module import Module

PENALTIES: Registry[type[Penalty]] = Registry("penalty")


class Penalty(Configured, ABC):
    """A cost of chosen parameters, added once to the loss of a batch.

    Parameters
    ----------
    strength : float
        λ ≥ 0, dimensionless.
    on : str or sequence of str
        Patterns of the parameters' paths; by default weights, and no biases.

    Notes
    -----
    History shows it as ``penalty``, beside ``loss``, which stays the mean cost of the examples, so
    that ``loss`` and ``val_loss`` mean the same. Frozen parameters are left out: they cannot answer
    to it.
    """

    def __init__(self, strength: float, on: str | Sequence[str] = "*weight") -> None:
        self.strength = as_number(type(self).__name__, "strength", strength, 0)
        self.on = _as_patterns(type(self).__name__, on)

    def __call__(self, parameters: Module | Mapping[str, Any]) -> Tensor:
        """The penalty of a network, or of parameters by path.

        Parameters
        ----------
        parameters : Module, or mapping of str to array_like

        Returns
        -------
        Tensor of shape ()

        Raises
        ------
        NameNotFoundError
            If a pattern matches no parameter.
        """
        if isinstance(parameters, Module):
            parameters = parameters.trainable_parameters()
        chosen = [as_tensor(parameters[path]) for path in self.paths(parameters)]
        return reduce(add, [self.size(w) for w in chosen]) * self.strength

    def paths(self, parameters: Mapping[str, Any]) -> list[str]:
        """The paths it is on, each once.

        Raises
        ------
        NameNotFoundError
            If a pattern matches none.
        """
        for pattern in self.on:
            if not any(fnmatchcase(path, pattern) for path in parameters):
                raise NameNotFoundError.of_pattern(pattern, type(self).__name__, list(parameters))
        return [p for p in parameters if any(fnmatchcase(p, pattern) for pattern in self.on)]

    @abstractmethod
    def size(self, w: Tensor) -> Tensor:
        """The size of one parameter, a scalar, as this penalty measures it."""


@PENALTIES.register("L1Penalty")
class L1Penalty(Penalty):
    """λ·Σ |w|: the smaller the weight, the larger its share; it drives weights to 0.

    Parameters
    ----------
    strength : float
        λ ≥ 0.
    on : str or sequence of str
        Patterns of the parameters' paths; by default weights, and no biases.

    Notes
    -----
    Its derivative is λ·sign(w), 0 at 0   [Tibshirani 1996, eq. 1].

    Examples
    --------
    >>> from chainrule import nn
    >>> nn.L1Penalty(0.5)({"weight": [[1.0, -2.0]], "bias": [7.0]}).item()
    1.5
    """

    def size(self, w: Tensor) -> Tensor:
        """Σ |w|."""
        return abs(w).sum()


@PENALTIES.register("L2Penalty")
class L2Penalty(Penalty):
    """½·λ·Σ w²: ridge regression's cost of large weights.

    Parameters
    ----------
    strength : float
        λ ≥ 0.
    on : str or sequence of str
        Patterns of the parameters' paths; by default weights, and no biases.

    Notes
    -----
    Its derivative is λ·w: under plain SGD the update is that of ``weight_decay=λ``; under Adam it
    is not that of AdamW, whose decay does not pass through the moments   [Hoerl and Kennard 1970;
    Loshchilov and Hutter 2019].

    Examples
    --------
    >>> from chainrule import nn
    >>> nn.L2Penalty(0.5)({"weight": [[1.0, -2.0]], "bias": [7.0]}).item()
    1.25
    """

    def size(self, w: Tensor) -> Tensor:
        """½·Σ w²."""
        return w.square().sum() * 0.5


def as_penalties(given: Any) -> tuple[Penalty, ...]:
    """Return penalties as a tuple: none, one, or several.

    Raises
    ------
    ConfigurationError
        If one is something else.
    """
    if given is None:
        return ()
    several = tuple(given) if isinstance(given, list | tuple) else (given,)
    for each in several:
        if not isinstance(each, Penalty):
            shown = f"the class {each.__name__} itself" if isinstance(each, type) else repr(each)
            raise ConfigurationError(
                f"fit takes penalty as a Penalty, or a list of them; got {shown}",
                advice="Write penalty=nn.L2Penalty(1e-4)",
            )
    return several


def _as_patterns(owner: str, on: str | Sequence[str]) -> tuple[str, ...]:
    patterns = (on,) if isinstance(on, str) else tuple(on)
    if not patterns or not all(isinstance(pattern, str) for pattern in patterns):
        raise ConfigurationError(
            f"{owner} takes on as a pattern of parameter paths, or several; got {on!r}",
            advice='Write on="*.weight"',
        )
    return patterns
