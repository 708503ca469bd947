"""Optimizer: what all optimisers share, so that each of them is a rule for one parameter."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass, field
from typing import Annotated, Any, ClassVar

import numpy as np

from chainrule.base.errors import ConfigurationError
from chainrule.base.registry import Registry
from chainrule.eager import Tensor, as_tensor
from chainrule.eager.tensor import Array
from chainrule.eager.trees import ParameterHolder
from chainrule.graph import Graph, TensorType
from chainrule.optim.agreement import check_gradients, check_rank, check_state, read_state_dict
from chainrule.optim.clipping import clip_by_norm, clip_by_value, limit_rows
from chainrule.optim.groups import Groups, read_groups, variant_for, variants_by_path
from chainrule.optim.kinds import Flag, Maybe, NonNegative, Number
from chainrule.optim.options import Configured, build, kinds
from chainrule.optim.rules import Rule, apply_rules
from chainrule.optim.slots import InitialSlots, filled, slot_type
from chainrule.optim.update_graph import (
    Typed,
    refuse_tracing,
    run_update,
    trace_update,
    types_of,
)

OPTIMIZERS: Registry[type[Optimizer]] = Registry("optimizer")

_Types = tuple[tuple[str, TensorType], ...]

Limit = Annotated[float | None, Maybe(Number(low=0, open_low=True))]


@dataclass(eq=False, repr=False)
class Optimizer(Configured, ABC):
    """How parameters follow their gradients.

    An optimiser is one class: its options are the fields, `initial_slots` says what is kept for
    each parameter, and `rule` is the method itself, written in ops. So one definition is run
    eagerly, traced into the training step, compiled, and explained.

    Parameters
    ----------
    lr : float
        Learning rate, ≥ 0.
    groups : mapping of str to mapping or Optimizer, optional
        Other options for the parameters whose paths match a pattern, such as
        ``{"*.bias": {"weight_decay": 0}}``, or another optimiser, such as
        ``{"*.bias": SGD(lr=0.1)}``; later patterns win. A group's lr keeps its ratio to the
        optimiser's when a schedule changes that.
    clip_norm : float, optional
        The largest norm of all gradients together, > 0: longer ones are scaled down.
    clip_value : float, optional
        The largest size of a gradient's element, > 0. Values are clipped before the norm.
    max_norm : float, optional
        The largest norm of a unit's incoming weights, > 0: after the update a longer row of a
        weight (out, in) is scaled down to it. Parameters of one axis, such as biases, are left
        alone; ``groups`` limits it to chosen ones   [Srivastava et al. 2014, section 5.1].
    maximize : bool
        Ascend instead: the rule sees the gradient with the other sign.

    Attributes
    ----------
    state : dict of str to array
        What is kept from update to update, by ``<parameter path>:<slot>``.
    t : int
        The number of updates done.
    """

    lr: NonNegative = 1e-3
    _: KW_ONLY
    groups: Groups[Optimizer] | None = None
    clip_norm: Limit = None
    clip_value: Limit = None
    max_norm: Limit = None
    maximize: Flag = False
    state: dict[str, Array] = field(init=False, default_factory=dict)
    t: int = field(init=False, default=0)
    _graphs: dict[_Types, Graph] = field(init=False, default_factory=dict)

    rank: ClassVar[int | None] = None
    """How many axes the parameters must have; None: any number."""

    when_fixed: ClassVar[str] = (
        "Vary the learning rate by a schedule or by update(lr=...); for the rest make a new one "
        "and load this one's state_dict()"
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.groups is None:
            return
        groups = read_groups(self, self.groups, Optimizer.from_configuration)
        self.__dict__["groups"] = groups
        for pattern, group in groups.items():
            lr = group.lr if isinstance(group, Optimizer) else group.get("lr")
            if lr and not self.lr:
                raise ConfigurationError(
                    f"{type(self).__name__} takes a group's lr as a multiple of its own, which is "
                    f"0; got {lr!r}",
                    where=f'Group "{pattern}"',
                    advice="Give it an lr > 0, and lr=0 to the groups that stand still",
                )

    # --- what an optimiser is ------------------------------------------------------------------

    @abstractmethod
    def initial_slots(self) -> InitialSlots:
        """What is kept for each parameter: names and initial values."""

    @abstractmethod
    def rule(self, t: Tensor, lr: Tensor) -> Rule:
        """Return the update of one parameter; it is called once for each.

        Parameters
        ----------
        t : Tensor
            int64[]: the number of updates done before this one.
        lr : Tensor
            float64[]: the learning rate.

        Notes
        -----
        What depends on `t` and `lr` alone is computed here, in float64, and cast to the
        parameter's dtype where they meet: 1 - βᵗ in float32 has lost its digits when training
        begins. Nothing may branch on a value; to choose, use `where`.
        """

    # --- one update, in ops --------------------------------------------------------------------

    def slots(self, name: str) -> tuple[str, ...]:
        """The names of what is kept for one parameter.

        Parameters
        ----------
        name : str
            The parameter's path.
        """
        return tuple(variant_for(self, self.groups or {}, name).initial_slots())

    def initial_state(self, parameters: Mapping[str, Typed]) -> dict[str, Array]:
        """The state before the first update.

        Parameters
        ----------
        parameters : mapping of str to Tensor, array or TensorType
            By path.

        Raises
        ------
        NameNotFoundError
            If a pattern of a group matches none of them.
        ShapeError
            If the optimiser is not made for parameters of such a shape.
        """
        types = types_of(parameters)
        variants = self._variants(types)
        return {
            f"{name}:{slot}": filled(initial, w)
            for name, w in types.items()
            for slot, initial in variants[name].initial_slots().items()
        }

    def apply(
        self,
        parameters: Mapping[str, Tensor],
        gradients: Mapping[str, Tensor],
        state: Mapping[str, Tensor],
        t: Tensor | int,
        lr: Tensor | float,
    ) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """Compute new parameters and a new state: eagerly, or in the graph being traced.

        Parameters
        ----------
        parameters, gradients : mapping of str to Tensor
            By the parameters' paths. A gradient is cast to its parameter's dtype, a state too.
        state : mapping of str to Tensor
            With the keys of `initial_state`.
        t : Tensor
            int64[]: the number of updates done before this one.
        lr : Tensor
            float64[]: the learning rate.

        Raises
        ------
        TrainingError
            If there is no parameter, or one has no gradient or no state.
        NameNotFoundError
            If a gradient or a state is that of no parameter, or a pattern matches none.
        ShapeError
            If a gradient has not the shape of its parameter, or the optimiser is not made for
            parameters of that shape.
        """
        owner = type(self).__name__
        variants = self._variants(types_of(parameters))
        check_gradients(owner, parameters, gradients)
        kinds_of_state = self._state_types(types_of(parameters))
        check_state(owner, kinds_of_state, state)
        t, lr = as_tensor(t), as_tensor(lr).astype("float64")
        d = {name: as_tensor(gradients[name]).astype(w.dtype) for name, w in parameters.items()}
        if self.clip_value is not None:
            d = clip_by_value(d, self.clip_value)
        if self.clip_norm is not None:
            d = clip_by_norm(d, self.clip_norm)
        # A ratio of rates, and not a rate: a schedule's factor reaches all groups alike.
        ratios = {v.lr: lr if v.lr == self.lr else lr * (v.lr / self.lr) for v in variants.values()}
        rates = {name: ratios[variant.lr] for name, variant in variants.items()}
        updated, slots = apply_rules(variants, rates, parameters, d, state, kinds_of_state, t)
        for name, variant in variants.items():
            if variant.max_norm is not None and updated[name].ndim > 1:
                updated[name] = limit_rows(updated[name], variant.max_norm)
        return updated, slots

    def graph(self, parameters: Mapping[str, Typed]) -> Graph:
        """The update of parameters of these types, as a graph.

        Parameters
        ----------
        parameters : mapping of str to Tensor, array or TensorType
            By path.

        Returns
        -------
        Graph
            From the parameters, their gradients ``d_<path>``, the state, ``t`` and ``lr`` to
            ``next_<path>`` and the next state.
        """
        types = types_of(parameters)
        key = tuple(types.items())
        if key not in self._graphs:
            state = self._state_types(types)
            self._graphs[key] = trace_update(type(self).__name__, self.apply, types, state)
        return self._graphs[key]

    def _variants(self, types: Mapping[str, TensorType]) -> dict[str, Optimizer]:
        """The optimiser of each parameter."""
        variants: dict[str, Optimizer] = variants_by_path(self, self.groups or {}, types)
        for name, variant in variants.items():
            check_rank(type(variant).__name__, variant.rank, name, types[name].shape)
        return variants

    def _state_types(self, types: Mapping[str, TensorType]) -> dict[str, TensorType]:
        """The types of the state, by key."""
        return {
            f"{name}:{slot}": slot_type(initial, w)
            for name, w in types.items()
            for slot, initial in variant_for(self, self.groups or {}, name).initial_slots().items()
        }

    # --- a training loop of one's own ----------------------------------------------------------

    def update(
        self, net: ParameterHolder, gradients: Mapping[str, Any], lr: float | None = None
    ) -> None:
        """Change a network's parameters, and `state` and `t` with them.

        Parameters
        ----------
        net : Module
        gradients : mapping of str to Tensor or array
            By parameter path, as ``cr.value_and_grad(f)(net)`` gives them.
        lr : float, optional
            The learning rate of this update; by default the optimiser's.

        Raises
        ------
        TrainingError, NameNotFoundError, ShapeError
            As `apply`; nothing is changed then.
        TracingError
            If a function is being traced.
        """
        owner = type(self).__name__
        refuse_tracing(owner)
        rate = self.lr if lr is None else kinds(type(self))["lr"].check(owner, "lr", lr)
        parameters = net.trainable_parameters()
        check_gradients(owner, parameters, gradients)
        if not self.state and not self.t:
            self.state = self.initial_state(parameters)
        types = self._state_types(types_of(parameters))
        # A parameter that is frozen by now leaves its state behind, for when it trains again.
        kept = {key: self.state[key] for key in types if key in self.state}
        check_state(owner, types, kept)
        graph = self.graph(parameters)
        self.state = self.state | run_update(graph, parameters, gradients, kept, self.t, rate)
        self.t += 1

    # --- saving --------------------------------------------------------------------------------

    def state_dict(self) -> dict[str, Array]:
        """Copies of the state's arrays, and ``t`` as one more."""
        return {"t": np.asarray(self.t, np.int64)} | {k: v.copy() for k, v in self.state.items()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from where `state_dict` was called; nothing changes if it does not fit.

        Parameters
        ----------
        state : mapping of str to array_like

        Raises
        ------
        NameNotFoundError
            If a key names no slot of this optimiser.
        TrainingError
            If ``t`` or a slot is missing.
        """
        self.t, self.state = read_state_dict(type(self).__name__, state, self.slots)

    @staticmethod
    def from_configuration(name: str, configuration: Mapping[str, Any]) -> Optimizer:
        """Make the optimiser registered under `name` from what `configuration` gave.

        Parameters
        ----------
        name : str
            Its class's name, such as ``"Adam"``.
        configuration : mapping of str to object
            Options that are left out have their defaults.

        Raises
        ------
        NameNotFoundError, ConfigurationError
            If the name or an option is unknown, or a value is not what it can be.
        """
        return build(OPTIMIZERS, name, configuration)
