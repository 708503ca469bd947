"""Laws of derivatives on random programs: the two modes agree, and so do finite differences."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

import chainrule as cr
from tests.eager.programs import programs


def directions(seed, arrays):
    rng = np.random.default_rng(seed)
    return [rng.normal(size=array.shape) for array in arrays]


def inner(a, b):
    return sum(float(np.sum(np.asarray(x) * np.asarray(y))) for x, y in zip(a, b, strict=True))


def size(a):
    return float(np.sqrt(sum(float(np.sum(np.asarray(x) ** 2)) for x in a)))


@given(programs(), st.integers(0, 2**32 - 1))
def test_pushing_forward_and_pulling_back_are_transposes(program, seed):
    f, arrays, _ = program
    v = directions(seed, arrays)
    y, pushed = cr.jvp(f, arrays, v)
    _, pull = cr.vjp(f, *arrays)
    (u,) = directions(seed + 1, [y.numpy()])
    pulled = pull(u)
    # Both sides are sums of the same products in another order: a few hundred roundings. Where the
    # products cancel, those of their own sizes remain.
    bound = 1e-13 * (size([pushed]) * size([u]) + size(v) * size(pulled) + size(v) * size([u]))
    assert abs(inner([pushed], [u]) - inner(v, pulled)) <= bound  # ⟨Jv, u⟩ = ⟨v, Jᵀu⟩


@given(programs(), st.integers(0, 2**32 - 1))
def test_pulling_back_is_linear(program, seed):
    f, arrays, _ = program
    y, pull = cr.vjp(f, *arrays)
    a, b = directions(seed, [y.numpy(), y.numpy()])
    for whole, one, other in zip(pull(2 * a - 3 * b), pull(a), pull(b), strict=True):
        wanted = 2 * one.numpy() - 3 * other.numpy()
        scale = size([one]) + size([other]) + size([a]) + size([b])
        np.testing.assert_allclose(whole.numpy(), wanted, rtol=0, atol=1e-13 * scale)


@given(programs(), st.integers(0, 2**32 - 1))
def test_the_slope_is_a_finite_difference(program, seed):
    f, arrays, _ = program
    v = directions(seed, arrays)
    _, pushed = cr.jvp(f, arrays, v)

    def at(step):
        return f(*(cr.tensor(a + step * d) for a, d in zip(arrays, v, strict=True))).numpy()

    # Central differences of two widths, extrapolated: an error of order h⁴, rounding of 1e-16/h.
    h = 1e-3
    wide, narrow = ((at(s) - at(-s)) / (2 * s) for s in (2 * h, h))
    difference = (4 * narrow - wide) / 3
    scale = 1 + np.abs(difference).max(initial=0)
    np.testing.assert_allclose(pushed.numpy(), difference, rtol=0, atol=1e-7 * scale)


@given(programs(), st.integers(0, 2**32 - 1))
def test_the_jacobian_pushes_as_jvp_does(program, seed):
    f, arrays, _ = program
    (v,) = directions(seed, arrays[:1])
    _, pushed = cr.jvp(lambda x: f(x, arrays[1]), [arrays[0]], [v])
    jacobian = cr.jacobian(f)(*arrays).numpy()
    product = np.tensordot(jacobian, v, axes=2)
    scale = 1 + np.abs(product).max(initial=0)
    np.testing.assert_allclose(product, pushed.numpy(), rtol=0, atol=1e-12 * scale)


@given(programs())
def test_second_derivatives_are_symmetric(program):
    f, arrays, _ = program
    hessian = cr.hessian(lambda x: f(x, arrays[1]).sum())(arrays[0]).numpy()
    square = hessian.reshape(arrays[0].size, arrays[0].size)
    scale = 1 + np.abs(square).max()
    np.testing.assert_allclose(square, square.T, rtol=0, atol=1e-12 * scale)


@given(programs())
def test_backward_and_grad_are_the_same_numbers(program):
    f, arrays, _ = program
    tensors = [cr.tensor(array) for array in arrays]
    f(*tensors).sum().backward()
    gradients = cr.grad(lambda *xs: f(*xs).sum(), (0, 1))(*arrays)
    for tensor, gradient in zip(tensors, gradients, strict=True):
        found = np.zeros(tensor.shape) if tensor.grad is None else tensor.grad.numpy()
        assert np.array_equal(found, gradient.numpy())


@given(programs())
def test_a_traced_program_computes_what_the_eager_one_does(program):
    f, arrays, _ = program
    eager = f(*map(cr.tensor, arrays))
    traced, _ = cr.vjp(f, *arrays)
    assert np.array_equal(eager.numpy(), traced.numpy())
