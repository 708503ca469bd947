"""Mistakes made by learners who write backpropagation with NumPy: check names each of them.

`ByHand` is the right one, for a network 3-3-3-3 of sigmoid layers, as a textbook writes it. Each
mistaken learner below writes one of its lines otherwise. No graph has a part in it.
"""

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn
from chainrule.explanation.checking.anatomy import take_apart
from tests.explanation.checking.learners import judged

RNG = np.random.default_rng(0)
X = RNG.normal(size=(5, 3))
Y = RNG.random(size=(5, 3))


class ByHand:
    """Backpropagation of ½‖a - y‖², averaged over m examples."""

    def __init__(self, net, x=X, y=Y):
        self.y, self.m = y, len(x)
        state = net.state_dict()
        self.W = {l: np.asarray(state[f"{2 * l - 2}.weight"], float) for l in (1, 2, 3)}
        self.b = {l: np.asarray(state[f"{2 * l - 2}.bias"], float) for l in (1, 2, 3)}
        self.a, self.z, self.d = {0: x}, {}, {}
        for l in (1, 2, 3):
            self.z[l] = self.weighted_sum(l)
            self.a[l] = self.activation(l)

    def weighted_sum(self, l):
        return self.a[l - 1] @ self.W[l].T + self.b[l]

    def activation(self, l):
        return self.sigma(self.z[l])

    def sigma(self, z):
        return 1 / (1 + np.exp(-z))

    def slope(self, l):
        return self.a[l] * (1 - self.a[l])

    def cost_slope(self):
        return self.a[3] - self.y

    def last_error(self):
        return self.cost_slope() * self.slope(3) / self.m

    def handed_back(self, l):
        return self.d[l + 1] @ self.W[l + 1]

    def error(self, l):
        return self.handed_back(l) * self.slope(l)

    def d_w(self, l):
        return self.d[l].T @ self.a[l - 1]

    def d_b(self, l):
        return self.d[l].sum(axis=0)

    def gradients(self):
        self.d[3] = self.last_error()
        for l in (2, 1):
            self.d[l] = self.error(l)
        found = {}
        for l in (1, 2, 3):
            found[f"{2 * l - 2}.weight"] = self.d_w(l)
            found[f"{2 * l - 2}.bias"] = self.d_b(l)
        return found


LEARNERS = []


def learner(*names, title):
    """A mistaken learner, the mistakes that explain the numbers, and what the first is called."""

    def add(cls):
        LEARNERS.append(pytest.param(cls, names, title, id=f"{names[0]}: {cls.__name__}"))
        return cls

    return add


# --- σ′ -------------------------------------------------------------------------------------------


@learner("missing-derivative", title="σ′ is missing in every layer")
class NoSlope(ByHand):
    def slope(self, l):
        return 1.0


@learner("missing-derivative", "error-of-cross-entropy", title="σ′ is missing in layer 5 (sigmoid)")
class PrintsSquaresAndUsesCrossEntropysError(ByHand):  # the third of the seven
    def last_error(self):
        return (self.a[3] - self.y) / self.m


@learner("missing-derivative", title="σ′ is missing in layer 3 (sigmoid)")
class NoSlopeInTheMiddle(ByHand):
    def error(self, l):
        return self.handed_back(l) * (self.slope(l) if l != 2 else 1.0)


@learner("derivative-at-activation", title="σ′ is taken at a, not at z in every layer")
class SlopeOfActivation(ByHand):  # sigmoid_prime(a), which computes sigmoid(a)·(1 - sigmoid(a))
    def slope(self, l):
        return self.sigma(self.a[l]) * (1 - self.sigma(self.a[l]))


@learner("derivative-formula-at-sum", title="the formula of σ′ in a is given z in every layer")
class FormulaOfSum(ByHand):
    def slope(self, l):
        return self.z[l] * (1 - self.z[l])


@learner("derivative-twice", title="σ′ is there twice in layer 1 (sigmoid)")
class SlopeTwice(ByHand):
    def error(self, l):
        return self.handed_back(l) * self.slope(l) * (self.slope(l) if l == 1 else 1)


@learner(
    "derivative-of-wrong-layer",
    title="σ′ is taken at another layer's weighted sum in layer 3 (sigmoid), of 1.out",
)
class SlopeOfOtherLayer(ByHand):
    def error(self, l):
        return self.handed_back(l) * self.slope(1)


@learner("activation-for-derivative", title="σ itself is taken for σ′ in every layer")
class OnlyActivation(ByHand):
    def slope(self, l):
        return self.a[l]


@learner("part-of-derivative", title="σ′ is 1 - a alone in every layer but the last")
class OnlyRest(ByHand):
    def slope(self, l):
        return 1 - self.a[l] if l < 3 else super().slope(l)


@learner(
    "derivative-of-other-activation",
    title="σ′ is that of another function in every layer, as for tanh of a",
)
class SlopeOfTanh(ByHand):
    def slope(self, l):
        return 1 - self.a[l] ** 2


@learner(
    "derivative-of-other-activation",
    title="σ′ is that of another function in every layer, as for relu of z",
)
class SlopeOfRelu(ByHand):
    def slope(self, l):
        return np.where(self.z[l] > 0, 1.0, 0.0) if l < 3 else super().slope(l)


@learner(
    "derivative-of-other-activation",
    title="σ′ is that of another function in layer 3 (sigmoid), as for tanh of z",
)
class SlopeOfTanhOnce(ByHand):
    def slope(self, l):
        return 1 - np.tanh(self.z[l]) ** 2 if l == 2 else super().slope(l)


# --- the way forward ------------------------------------------------------------------------------


@learner("missing-bias", title="the bias is left out of the forward pass in every layer")
class NoBias(ByHand):
    def weighted_sum(self, l):
        return self.a[l - 1] @ self.W[l].T


@learner("missing-bias", title="the bias is left out of the forward pass in layer 2")
class NoBiasOnce(ByHand):
    def weighted_sum(self, l):
        return super().weighted_sum(l) - (self.b[2] if l == 2 else 0)


@learner(
    "missing-activation",
    title="the activation is left out of the forward pass in layer 5 (sigmoid), and its slope "
    "with it",
)
class LinearOutput(ByHand):
    def activation(self, l):
        return self.z[l] if l == 3 else super().activation(l)

    def slope(self, l):
        return 1.0 if l == 3 else super().slope(l)


@learner(
    "missing-activation",
    title="the activation is left out of the forward pass in layer 1 (sigmoid), and its slope "
    "is not",
)
class ActivationLeftOut(ByHand):
    def activation(self, l):
        return self.z[l] if l == 1 else super().activation(l)


@learner("exponent-sign", title="the sigmoid is computed as 1/(1 + exp(z))")
class SignInTheExponent(ByHand):
    def sigma(self, z):
        return 1 / (1 + np.exp(z))


# --- factors --------------------------------------------------------------------------------------


@learner("missing-mean", title="1/m is missing")
class NoMean(ByHand):
    def last_error(self):
        return self.cost_slope() * self.slope(3)


@learner("extra-mean", title="1/m is there twice in every bias's gradient")
class MeanOfMean(ByHand):
    def d_b(self, l):
        return self.d[l].mean(axis=0)


@learner("sign", title="the sign is wrong")
class TargetMinusOutput(ByHand):
    def cost_slope(self):
        return self.y - self.a[3]


@learner("factor-half", "accumulated", title="a factor ½ is missing")
class Squares(ByHand):
    def cost_slope(self):
        return 2 * (self.a[3] - self.y)


@learner("factor-two", title="a factor 2 is missing")
class Half(ByHand):
    def cost_slope(self):
        return 0.5 * (self.a[3] - self.y)


@learner("missing-mean", title="1/m is missing in layer 4")
class SumInOneLayer(ByHand):
    def d_w(self, l):
        return super().d_w(l) * (self.m if l == 3 else 1)

    def d_b(self, l):
        return super().d_b(l) * (self.m if l == 3 else 1)


@learner("extra-mean-over-outputs", title="there is a mean over the outputs")
class MeanOverAll(ByHand):
    def last_error(self):
        return self.cost_slope() * self.slope(3) / self.a[3].size


@learner(
    "error-of-absolute", title="the derivative of the cost is the sign of a - y, as for |a - y|"
)
class Absolute(ByHand):
    def cost_slope(self):
        return np.sign(self.a[3] - self.y)


# --- the error ------------------------------------------------------------------------------------


@learner("squared-error", title="the error is (a - y)², and not a - y")
class SquaredError(ByHand):
    def cost_slope(self):
        return (self.a[3] - self.y) ** 2


@learner("error-without-sign", title="the error is |a - y|, and not a - y")
class AbsoluteError(ByHand):
    def cost_slope(self):
        return np.abs(self.a[3] - self.y)


@learner("loss-as-error", title="the loss itself is taken for the error divided by m")
class LossAsError(ByHand):
    def cost_slope(self):
        return np.full(self.y.shape, 0.5 * np.sum((self.a[3] - self.y) ** 2) / self.m)


@learner("error-averaged", title="the error is averaged over the examples before it goes back")
class MeanError(ByHand):
    def cost_slope(self):
        return np.tile((self.a[3] - self.y).mean(axis=0), (self.m, 1))


@learner("target-forgotten", title="the target is not subtracted")
class NoTarget(ByHand):
    def cost_slope(self):
        return self.a[3]


@learner("targets-of-others", title="the targets are those of other examples (in reverse)")
class TargetsReversed(ByHand):
    def cost_slope(self):
        return self.a[3] - self.y[::-1]


# --- sums -----------------------------------------------------------------------------------------


@learner(
    "bias-of-one-sample",
    title="the gradient of the bias is not summed over the batch in every layer (the last example)",
)
class LastBias(ByHand):  # the fifth of the seven, for more than one sample
    def d_b(self, l):
        return self.d[l][-1]


@learner(
    "bias-of-one-sample",
    title="the gradient of the bias is not summed over the batch in layer 2 "
    "(the first example, without 1/m)",
)
class FirstBias(ByHand):
    def d_b(self, l):
        return self.d[l][0] * self.m if l == 2 else super().d_b(l)


@learner("one-sample", title="only one example is used (the last), divided by m")
class Overwrites(ByHand):
    def last_error(self):
        only = np.zeros((self.m, 1))
        only[-1] = 1
        return super().last_error() * only


@learner("one-sample", title="only one example is used (the first)")
class FirstAlone(ByHand):
    def last_error(self):
        only = np.zeros((self.m, 1))
        only[0] = self.m
        return super().last_error() * only


@learner(
    "weights-of-one-sample",
    title="the gradient of the weights is taken from one example in every layer (the last)",
)
class LastProduct(ByHand):
    def d_w(self, l):
        return np.outer(self.d[l][-1], self.a[l - 1][-1])


@learner(
    "bias-summed-over-units",
    title="the gradient of the bias is one number for all units in every layer",
)
class NoAxis(ByHand):
    def d_b(self, l):
        return np.full(3, np.sum(self.d[l]))


@learner(
    "bias-summed-over-units",
    title="the gradient of the bias is one number for all units in layer 4",
)
class NoAxisOnce(ByHand):
    def d_b(self, l):
        return np.full(3, np.sum(self.d[l])) if l == 3 else super().d_b(l)


@learner(
    "bias-from-weights",
    title="the gradient of the bias is the sum of the weights' gradient in every layer",
)
class SumOfProducts(ByHand):
    def d_b(self, l):
        return np.sum(self.d[l].T @ self.a[l - 1], axis=1)


@learner(
    "error-of-one-unit",
    title="the error comes from one unit of the next layer in every layer (the last)",
)
class AssignsInTheLoopOverUnits(ByHand):
    def handed_back(self, l):
        for k in range(3):
            back = self.d[l + 1][:, k : k + 1] * self.W[l + 1][k]
        return back


# --- products -------------------------------------------------------------------------------------


@learner("transposed-weights", title="the weights are transposed in every layer")
class Transposed(ByHand):
    def handed_back(self, l):
        return self.d[l + 1] @ self.W[l + 1].T


@learner("transposed-gradient", title="the gradient is transposed in layer 2")
class GradientTransposed(ByHand):  # in every layer it would be a convention: weights are (in, out)
    def d_w(self, l):
        return super().d_w(l).T if l == 2 else super().d_w(l)


@learner(
    "wrong-layer-weights", title="the weights are those of another layer in layer 2 (4.weight)"
)
class WeightsOfNextLayer(ByHand):
    def handed_back(self, l):
        return self.d[l + 1] @ (self.W[3] if l == 1 else self.W[l + 1])


@learner(
    "wrong-layer-input",
    title="the gradient is computed with the activation of another layer in layer 4 (1.out)",
)
class InputOfOtherLayer(ByHand):
    def d_w(self, l):
        return self.d[l].T @ self.a[1 if l == 3 else l - 1]


@learner("sum-for-activation", title="the gradient is computed with z, not with a in layer 2")
class SumForActivation(ByHand):
    def d_w(self, l):
        return self.d[l].T @ (self.z[1] if l == 2 else self.a[l - 1])


@learner(
    "missing-input", title="the gradient of the weights is not multiplied with the input in layer 0"
)
class NoInput(ByHand):
    def d_w(self, l):
        return self.d[l].T @ (np.ones((self.m, 3)) if l == 1 else self.a[l - 1])


@learner(
    "missing-weights",
    title="the weights are left out where the error is handed back in every layer",
)
class AddsErrors(ByHand):
    def handed_back(self, l):
        return np.sum(self.d[l + 1], axis=1, keepdims=True)


@learner(
    "missing-weights",
    title="the weights are left out where the error is handed back in layer 2 (each unit the "
    "error of one)",
)
class PassesErrorsOn(ByHand):
    def handed_back(self, l):
        return self.d[l + 1] if l == 1 else super().handed_back(l)


@learner(
    "weights-for-input",
    title="the gradient is computed with the weights, not with their input in every layer",
)
class TimesWeights(ByHand):
    def d_w(self, l):
        return self.d[l].sum(axis=0)[:, None] * self.W[l]


@learner(
    "wrong-layer-error",
    title="the gradient is computed with the error of another layer in layer 2 (4.out)",
)
class ErrorOfNextLayer(ByHand):
    def d_w(self, l):
        return self.d[3 if l == 2 else l].T @ self.a[l - 1]


@learner("product-of-means", title="the gradient is the product of two means in every layer")
class MeansFirst(ByHand):
    def d_w(self, l):
        return self.m * np.outer(self.d[l].mean(axis=0), self.a[l - 1].mean(axis=0))


@learner(
    "error-before-activation",
    title="the gradients are computed with the error in front of σ′ in layer 3 (sigmoid)",
)
class ErrorBeforeSlope(ByHand):
    def d_w(self, l):
        return (self.handed_back(2) if l == 2 else self.d[l]).T @ self.a[l - 1]

    def d_b(self, l):
        return (self.handed_back(2) if l == 2 else self.d[l]).sum(axis=0)


@learner(
    "updated-weights",
    title="the weights are updated before the errors are computed in every layer",
)
class UpdatesFirst(ByHand):  # the sixth of the seven
    def handed_back(self, l):
        return self.d[l + 1] @ (self.W[l + 1] - 0.5 * self.d_w(l + 1))


# --- where a gradient is kept ---------------------------------------------------------------------


@learner(
    "never-written", "cut-to-integers", title="all is 0: nothing was written in every gradient"
)
class OnlyZeros(ByHand):
    def gradients(self):
        return {name: np.zeros_like(d) for name, d in super().gradients().items()}


@learner(
    "cut-to-integers", "never-written", title="the numbers are cut to integers in every gradient"
)
class Integers(ByHand):
    def gradients(self):
        found = {}
        for name, d in super().gradients().items():
            found[name] = np.zeros_like(np.zeros(d.shape, int))
            found[name][...] = d
        return found


@learner("layers-reversed", title="the gradients stand in the reverse order of the layers")
class Appends(ByHand):
    def gradients(self):
        found = super().gradients()
        weights = [found[f"{k}.weight"] for k in (4, 2, 0)]  # as the loop meets them
        biases = [found[f"{k}.bias"] for k in (4, 2, 0)]
        names = [f"{k}.weight" for k in (0, 2, 4)], [f"{k}.bias" for k in (0, 2, 4)]
        return dict(zip(names[0], weights, strict=True)) | dict(zip(names[1], biases, strict=True))


@learner("never-written", title="all is 0: nothing was written in the gradient of 2.bias")
class ForgetsOne(ByHand):
    def d_b(self, l):
        return super().d_b(l) * (0 if l == 2 else 1)


@pytest.fixture(scope="module")
def net():
    layers = [layer for _ in range(3) for layer in (nn.Linear(3, 3), nn.Sigmoid())]
    return nn.Sequential(*layers).astype("float64").initialize(seed=3)


def named(net, mine, **options):
    return cr.check(net, X, Y, loss=nn.QuadraticLoss(), learning_rate=0.5, mine=mine, **options)


def test_the_right_one_is_right(net):
    assert named(net, ByHand(net).gradients())


@pytest.mark.parametrize(("learner", "names", "title"), LEARNERS)
def test_the_mistake_is_named_and_no_other(net, learner, names, title):
    found = named(net, learner(net).gradients())
    assert found.is_whole
    assert set(found.mistakes) == set(names)
    assert title in [cause.title for cause in found.causes]


@pytest.mark.parametrize(("learner", "names", "title"), LEARNERS)
def test_it_is_named_from_four_digits(net, learner, names, title):
    trace = cr.explain(net, X, Y, loss=nn.QuadraticLoss(), optimizer=cr.optim.SGD(lr=0.5))
    found = judged(take_apart(trace), learner(net).gradients(), 4)
    assert title in [cause.title for cause in found.causes]


def test_two_learners_mistakes_are_both_named_in_any_order(net):
    class Both(NoSlopeInTheMiddle, LastBias):
        pass

    found = named(net, Both(net).gradients())
    assert {"missing-derivative", "bias-of-one-sample"} in [
        set(cause.mistakes) for cause in found.causes
    ]
    again = named(net, dict(reversed(Both(net).gradients().items())))
    assert {cause.title for cause in again.causes} == {cause.title for cause in found.causes}


def test_numbers_that_no_mistake_explains_are_said_to_be_so(net):
    mine = {name: value + 0.1 for name, value in ByHand(net).gradients().items()}
    found = named(net, mine)
    assert not found
    assert not found.is_whole
