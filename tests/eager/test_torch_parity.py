"""The same programs in torch give the same values and gradients."""

import numpy as np
import pytest

import chainrule as cr
from chainrule.eager import as_tensor, maximum, minimum, stack

# Written once, in the methods that both libraries have. `lib` is what they do not share.
PROGRAMS = {
    "linear": lambda lib, x, w: (x @ w).sum(),
    "mean of squares": lambda lib, x, w: ((x @ w) ** 2).mean(),
    "tanh network": lambda lib, x, w: ((x @ w).tanh() @ w.T).sigmoid().sum(),
    "relu network": lambda lib, x, w: ((x @ w).relu() @ w.T).square().sum(),
    "exp and log": lambda lib, x, w: ((x * x + 1).log() @ w).exp().mean(),
    "sqrt": lambda lib, x, w: (x.square().sum(axis=1) + 0.5).sqrt().sum() * w.sum(),
    "division": lambda lib, x, w: (x / (x * x + 2) @ w).sum(),
    "sin and cos": lambda lib, x, w: (x.sin() @ w - (x @ w).cos()).sum(),
    "abs": lambda lib, x, w: (x @ w).abs().sum(),
    "log1p": lambda lib, x, w: (x.square().log1p() @ w).sum(),
    "power": lambda lib, x, w: ((x.square() + 0.1) ** 1.7).sum() * w[0, 0],
    "power of two values": lambda lib, x, w: (
        (x.square() + 0.1) ** w.T[:1, : x.shape[1]].sigmoid()
    ).sum(),
    "softmax": lambda lib, x, w: ((x @ w).softmax(-1) * (x @ w)).sum(),
    "log_softmax": lambda lib, x, w: -(x @ w).log_softmax(-1)[:, 0].mean(),
    "broadcast": lambda lib, x, w: (x * w[:, 0] + w[:, 1]).tanh().sum(),
    "reductions": lambda lib, x, w: (
        (
            (x - x.mean(axis=0, keepdims=True)) / (x.square().mean(axis=0, keepdims=True) + 1e-3)
        ).sum()
        * w.mean()
    ),
    "largest": lambda lib, x, w: lib["largest"](x @ w, 1).sum(),
    "smallest": lambda lib, x, w: lib["smallest"](x @ w, 0).sum(),
    "maximum": lambda lib, x, w: lib["maximum"](x @ w, (x @ w) * 0.5).sum(),
    "minimum": lambda lib, x, w: lib["minimum"](x @ w, w.mean()).sum(),
    "where": lambda lib, x, w: lib["where"](x > 0.2, x, x * x).sum() * w.sum(),
    "slices": lambda lib, x, w: (x[1:, ::2] * x[:-1, ::2]).sum() * w[-1].sum(),
    "positions": lambda lib, x, w: (x[[0, 2, 0]] @ w).square().sum(),
    "joining": lambda lib, x, w: (lib["concatenate"]([x @ w, x[:, :2]]).tanh() @ w.T[:2, :2]).sum(),
    "stacking": lambda lib, x, w: (
        lib["stack"]([x, x * 2, x.tanh()]).sum(axis=0).square().sum() + w.sum()
    ),
    "reshape": lambda lib, x, w: (x.reshape(-1, 2) * x.reshape(-1, 2)).sum() + w.reshape(-1).sum(),
    "transpose": lambda lib, x, w: (x.T @ x @ w).sum(),
    "batched product": lambda lib, x, w: (
        (x.reshape(2, 2, 3) @ w).tanh() @ w.T.reshape(1, 2, 3)
    ).sum(),
    "a value used often": lambda lib, x, w: ((x @ w) * (x @ w).tanh() + (x @ w)).sum(),
    "kinks": lambda lib, x, w: ((x * 0).relu() + (x * 0).abs()).sum() + (x @ w).sum(),
}
OURS = {
    "largest": lambda t, axis: t.max(axis=axis),
    "smallest": lambda t, axis: t.min(axis=axis),
    "maximum": maximum,
    "minimum": minimum,
    "where": cr.where,
    "concatenate": cr.concatenate,
    "stack": stack,
}


def torchs(torch):
    return {
        "largest": lambda t, axis: t.amax(dim=axis),
        "smallest": lambda t, axis: t.amin(dim=axis),
        "maximum": torch.maximum,
        "minimum": torch.minimum,
        "where": torch.where,
        "concatenate": torch.cat,
        "stack": torch.stack,
    }


def arguments(dtype):
    rng = np.random.default_rng(7)
    return rng.normal(size=(4, 3)).astype(dtype), rng.normal(size=(3, 2)).astype(dtype)


# A program has at most a few dozen roundings in a row on numbers of size one.
TOLERANCE = {"float32": 2e-5, "float64": 1e-13}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("program", PROGRAMS.values(), ids=PROGRAMS)
def test_values_and_gradients_are_torchs(torch, program, dtype):
    arrays = arguments(dtype)
    leaves = [torch.tensor(array, requires_grad=True) for array in arrays]
    wanted = program(torchs(torch), *leaves)
    wanted.backward()

    ours = [cr.tensor(array) for array in arrays]
    program(OURS, *ours).backward()
    value, gradients = cr.value_and_grad(lambda x, w: program(OURS, x, w), (0, 1))(*arrays)

    assert value.dtype == np.dtype(dtype)
    close = {"rtol": TOLERANCE[dtype], "atol": TOLERANCE[dtype]}
    np.testing.assert_allclose(value.numpy(), wanted.detach().numpy(), **close)
    for leaf, eager, gradient in zip(leaves, ours, gradients, strict=True):
        assert gradient.dtype == np.dtype(dtype)
        np.testing.assert_allclose(gradient.numpy(), leaf.grad.numpy(), **close)
        assert np.array_equal(eager.grad.numpy(), gradient.numpy())


SMOOTH = [
    "tanh network",
    "exp and log",
    "sqrt",
    "division",
    "power",
    "softmax",
    "log_softmax",
    "broadcast",
    "batched product",
]


@pytest.mark.parametrize("name", SMOOTH)
def test_second_derivatives_are_torchs(torch, name):
    x, w = arguments("float64")
    program = PROGRAMS[name]
    wanted = torch.autograd.functional.hessian(
        lambda w: program(torchs(torch), torch.tensor(x), w), torch.tensor(w)
    )
    ours = cr.hessian(lambda w: program(OURS, as_tensor(x), w))(w)
    np.testing.assert_allclose(ours.numpy(), wanted.numpy(), rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("name", ["tanh network", "softmax", "slices", "joining"])
def test_jacobians_and_their_products_are_torchs(torch, name):
    x, w = arguments("float64")
    program = PROGRAMS[name]
    step = lambda lib, x, w: program(lib, x, w) * x  # noqa: E731 - an array for a result
    direction = np.random.default_rng(8).normal(size=x.shape)

    def torch_step(x):
        return step(torchs(torch), x, torch.tensor(w))

    def our_step(x):
        return step(OURS, x, as_tensor(w))

    at, along = torch.tensor(x), torch.tensor(direction)
    wanted = torch.autograd.functional.jacobian(torch_step, at)
    close = {"rtol": 1e-12, "atol": 1e-13}
    np.testing.assert_allclose(cr.jacobian(our_step)(x).numpy(), wanted.numpy(), **close)
    _, wanted = torch.autograd.functional.jvp(torch_step, at, along)
    np.testing.assert_allclose(cr.jvp(our_step, [x], [direction])[1].numpy(), wanted, **close)
    _, wanted = torch.autograd.functional.vjp(torch_step, at, along)
    np.testing.assert_allclose(cr.vjp(our_step, x)[1](direction)[0].numpy(), wanted, **close)


def test_a_tie_of_two_values_is_shared_as_in_torch(torch):
    a, b = torch.tensor([1.0, 2.0], requires_grad=True), torch.tensor([1.0, 3.0])
    torch.maximum(a, b).sum().backward()
    ours = cr.grad(lambda a: maximum(a, b.numpy()).sum())(a.detach().numpy())
    assert ours.numpy().tolist() == a.grad.tolist() == [0.5, 0.0]


def test_a_tie_along_an_axis_goes_to_the_first_unlike_torchs_amax(torch):
    x = np.array([3.0, 3.0, 1.0])
    leaf = torch.tensor(x, requires_grad=True)
    leaf.max(dim=0).values.backward()  # torch's max along an axis names one place, too
    assert leaf.grad.tolist() == cr.grad(lambda t: t.max())(x).numpy().tolist() == [1.0, 0.0, 0.0]
