"""Restricted Boltzmann machines, and contrastive divergence: learning by a rule of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from chainrule.base.errors import ConfigurationError, DataError
from chainrule.eager import Tensor, as_tensor, elementwise, in_scope, matmul
from chainrule.eager.tensor import Array
from chainrule.nn.activations import Sigmoid
from chainrule.nn.agreement import check_same_shape
from chainrule.nn.arguments import as_count
from chainrule.nn.containers import Sequential
from chainrule.nn.initializers import Initializer, as_initializer, normal, zeros
from chainrule.nn.layers import Linear, affine, check_last_axis
from chainrule.nn.losses.loss import LOSSES, Loss, per_example
from chainrule.nn.module import LAYERS, Module
from chainrule.nn.parameter import Parameter
from chainrule.nn.randomness import uniform_like


@LAYERS.register("RestrictedBoltzmann")
class RestrictedBoltzmann(Module):
    """Binary visible and hidden units that see each other, and none of their own kind.

    E(v, h) = -b·v - c·h - h·W·v, and p(v, h) is in proportion to exp(-E).

    Called, it reconstructs: σ(W'·σ(W·v + c) + b). Its features are `hidden(v)`, and `encoder()`
    is the layer that gives them, to be a part of another network.

    Parameters
    ----------
    in_features : int
        Visible units.
    out_features : int
        Hidden units.
    weight_init : Initializer, or the name of a registered one, optional
        By default N(0, 0.01²)   [Hinton 2012, section 8].

    Attributes
    ----------
    weight : Parameter of shape (out_features, in_features)
        W.
    visible_bias : Parameter of shape (in_features,)
        b.
    hidden_bias : Parameter of shape (out_features,)
        c.

    Notes
    -----
    `ContrastiveDivergence` trains it   [Smolensky 1986; Hinton 2002].

    Examples
    --------
    >>> from chainrule import nn
    >>> machine = nn.RestrictedBoltzmann(4, 2).initialize(seed=0)
    >>> machine.hidden([[1.0, 1.0, 0.0, 0.0]]).shape, machine([[1.0, 1.0, 0.0, 0.0]]).shape
    ((1, 2), (1, 4))
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        *,
        weight_init: Initializer | str | None = None,
    ) -> None:
        self.in_features = as_count("RestrictedBoltzmann", "in_features", in_features)
        self.out_features = as_count("RestrictedBoltzmann", "out_features", out_features)
        shape = (self.out_features, self.in_features)
        rule = normal(0.0, 0.01) if weight_init is None else as_initializer(weight_init)
        self.weight = Parameter(shape=shape, initializer=rule)
        self.visible_bias = Parameter(shape=shape[1:], initializer=zeros())
        self.hidden_bias = Parameter(shape=shape[:1], initializer=zeros())

    def forward(self, v: Tensor) -> Tensor:
        """Reconstruct v of shape (B, in_features), from the hidden units' probabilities."""
        return self.visible(self.hidden(v))

    def hidden(self, v: Any) -> Tensor:
        """p(h = 1 | v) = σ(W·v + c), of shape (B, out_features)."""
        return elementwise("sigmoid", self._field(v))

    def visible(self, h: Any) -> Tensor:
        """p(v = 1 | h) = σ(W'·h + b), of shape (B, in_features)."""
        return elementwise("sigmoid", as_tensor(h) @ self.weight + self.visible_bias)

    def free_energy(self, v: Any) -> Tensor:
        """F(v) = -b·v - Σ log(1 + exp(W·v + c)), of shape (B,); p(v) is in proportion to exp(-F).

        Notes
        -----
        [Hinton 2012, eq. 25].
        """
        v = as_tensor(v)
        summed_out = elementwise("softplus", self._field(v)).sum(axis=1)
        return -matmul(v, self.visible_bias) - summed_out

    def encoder(self) -> Sequential:
        """The layers v → p(h = 1 | v), which share the weight and the hidden bias."""
        linear = Linear(self.in_features, self.out_features)
        linear.weight, linear.bias = self.weight, self.hidden_bias
        return Sequential(linear, Sigmoid())

    def _field(self, v: Any) -> Tensor:
        v = as_tensor(v)
        check_last_axis("RestrictedBoltzmann", "in_features", self.in_features, v)
        return affine(v, self.weight, self.hidden_bias)


@LOSSES.register("ContrastiveDivergence")
class ContrastiveDivergence(Loss):
    """Learn a `RestrictedBoltzmann` by k steps of Gibbs sampling: CD-k.

    The optimiser follows ⟨h·v⟩ of the chain's end less ⟨h·v⟩ of the data. That is no gradient of
    what is shown, the mean squared error of the reconstruction, nor of any other function
    [Sutskever and Tieleman 2010].

    Parameters
    ----------
    k : int
        How many times hidden and visible units are drawn, ≥ 1.

    Notes
    -----
    With h₀ drawn from p(h | v₀), v₁ from p(v | h₀) and so on, and p = p(h = 1 | v),

        d_W = p_k·v_k - p_0·v_0,   d_c = p_k - p_0,   d_b = v_k - v_0,

    each averaged over the batch   [Hinton 2002, eq. 5; Hinton 2012, section 3]. What is drawn
    depends on (seed, step, row), as a dropout's mask does.

    Examples
    --------
    >>> import chainrule as cr
    >>> from chainrule import nn, optim
    >>> bars = [[1, 1, 0, 0], [0, 0, 1, 1]] * 8
    >>> net = nn.RestrictedBoltzmann(4, 2, weight_init=nn.init.normal(0.0, 0.1))
    >>> run = cr.fit(
    ...     net,
    ...     bars,
    ...     bars,
    ...     loss=nn.ContrastiveDivergence(),
    ...     epochs=200,
    ...     optimizer=optim.SGD(lr=0.5),
    ...     batch_size=8,
    ...     progress=False,
    ... )
    >>> bool(run.history["loss"][-1] < 0.05 < run.history["loss"][0])
    True
    """

    def __init__(self, k: int = 1) -> None:
        self.k = as_count("ContrastiveDivergence", "k", k)

    def forward(self, output: Tensor, target: Tensor) -> Tensor:
        """Costs [B]: the mean squared error of each reconstruction, which is only shown."""
        check_same_shape("ContrastiveDivergence", output, target)
        return per_example((output - target.astype(output.dtype)).square(), Tensor.mean)

    def directions(
        self, net: Module, inputs: Sequence[Tensor], target: Any, shares: Tensor
    ) -> Mapping[str, Tensor]:
        """d_W, d_b and d_c of a batch, by path."""
        if not isinstance(net, RestrictedBoltzmann):
            raise ConfigurationError(
                f"ContrastiveDivergence trains a RestrictedBoltzmann; got {type(net).__name__}",
                advice="Train each layer by itself, then stack what encoder() gives",
            )
        v_0 = inputs[0].astype(net.weight.dtype)
        p_0 = net.hidden(v_0)
        v_k, p_k = v_0, p_0
        for step in range(self.k):
            v_k = _drawn(net.visible(_drawn(p_k, f"hidden.{step}")), f"visible.{step}")
            p_k = net.hidden(v_k)
        share = shares.reshape(-1, 1)
        return {
            "weight": (share * p_k).T @ v_k - (share * p_0).T @ v_0,
            "visible_bias": (share * (v_k - v_0)).sum(axis=0),
            "hidden_bias": (share * (p_k - p_0)).sum(axis=0),
        }

    def check_target(self, target: Array, width: int | None) -> None:
        """Raise DataError unless they can be states, or probabilities, of binary units."""
        if target.size and not (target.min() >= 0 and target.max() <= 1):
            raise DataError(
                "A restricted Boltzmann machine's units are 0 or 1, or probabilities between; got "
                f"{target.min():g} to {target.max():g}",
                advice="Scale the data to 0 ... 1",
            )


def _drawn(p: Tensor, name: str) -> Tensor:
    """1 with probability p, or 0; p itself when evaluating."""
    with in_scope(name):
        u = uniform_like("ContrastiveDivergence", p)
    return p if u is None else (u < p.astype("float32")).astype(p.dtype)
