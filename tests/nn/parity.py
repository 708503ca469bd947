"""Run a network here and in torch on the same numbers, and compare within rounding errors.

A tolerance is `roundings` · u · `scale`: u is the unit roundoff of the dtype, `roundings` how many
operations one element passes through on its longest way (a sum of n terms counts n), and `scale`
the sum of the absolute values of what is added up to it. That is the usual first-order bound
(Higham, Accuracy and Stability, chapter 3). In float64 both sides round, so it counts twice; in
float32 torch computes in float64, and only our side counts.
"""

import numpy as np

import chainrule as cr

DTYPES = ["float64", "float32"]


def numbers(seed, *shape):
    """Numbers of order 1 that float32 holds exactly, so that both dtypes start from the same."""
    drawn = np.random.Generator(np.random.Philox(seed)).normal(size=shape)
    return drawn.astype(np.float32).astype(np.float64)


def assert_close(ours, theirs, *, scale, roundings):
    """Compare our array with torch's float64 one."""
    ours = np.asarray(ours)
    unit = np.finfo(ours.dtype).eps / 2
    both = 2 if ours.dtype == np.float64 else 1
    error = np.abs(ours.astype(np.float64) - theirs)
    bound = (
        both * roundings * unit * np.broadcast_to(scale, error.shape) + np.finfo(ours.dtype).tiny
    )
    worst = np.unravel_index(np.argmax(error - bound), error.shape)
    assert (error <= bound).all(), (
        f"element {worst}: ours {ours[worst]!r}, torch {theirs[worst]!r}, "
        f"error {error[worst]:.3g}, bound {bound[worst]:.3g}"
    )
    assert ours.shape == theirs.shape


def ours(net, x, d_y, dtype, v=None):
    """y, then d_x and the parameters' gradients of Σ d_y·y; with `v` those of Σ v·d_x instead."""
    net.astype(dtype)
    x, d_y = x.astype(dtype), d_y.astype(dtype)

    def inner(net, x):
        y = net(x)
        return (y * d_y).sum(), y

    def outer(net, x):
        d_x, y = cr.grad(inner, 1, has_aux=True)(net, x)
        return (d_x * v.astype(dtype)).sum(), y

    f = inner if v is None else outer
    (_, y), (d_net, d_x) = cr.value_and_grad(f, (0, 1), has_aux=True)(net, x)
    return y.numpy(), {"x": d_x.numpy(), **{path: d.numpy() for path, d in d_net.items()}}


def theirs(torch, module, x, d_y, v=None):
    """The same in torch, in float64."""
    module.double()
    x = torch.tensor(x, requires_grad=True)
    y = module(x)
    total = (y * torch.tensor(d_y)).sum()
    if v is not None:
        (d_x,) = torch.autograd.grad(total, x, create_graph=True)
        total = (d_x * torch.tensor(v)).sum()
    named = {"x": x, **dict(module.named_parameters())}
    found = torch.autograd.grad(total, named.values(), allow_unused=True)
    gradients = {
        name: np.zeros(value.shape) if d is None else d.numpy()
        for (name, value), d in zip(named.items(), found, strict=True)
    }
    return y.detach().numpy(), gradients


def copy_to_torch(torch, state, module):
    """Give torch's module our numbers."""
    module.load_state_dict({name: torch.tensor(array) for name, array in state.items()})
    return module
