"""Code for lesser instruction sets is right, too, and has the same bits where it rounds alike."""

import numpy as np
import pytest

from chainrule.backends.native.backend import NativeBackend
from chainrule.backends.native.target import of_features
from chainrule.graph import DType, parse_graph
from chainrule.testing import check_backend
from tests.backends.native.targets import LESSER, check_share, target


@pytest.mark.parametrize(("share", "name"), list(enumerate(LESSER)))
def test_every_op_conforms_on_one_of_them(share, name, monkeypatch):
    check_share(NativeBackend(target(name)), share, len(LESSER), monkeypatch)


@pytest.mark.slow
@pytest.mark.parametrize("name", LESSER)
def test_every_op_conforms_on_each(name):
    check_backend(NativeBackend(target(name)))


@pytest.mark.parametrize("dtype", ["f32", "f64"])
@pytest.mark.parametrize("name", LESSER)
def test_elementary_functions_have_the_same_bits(name, dtype):
    text = "\n".join(
        [
            f"graph f(x: {dtype}[515]) -> {dtype}[515]",
            *(
                f"  %{i + 1}: {dtype}[515] = {op}({'x' if not i else f'%{i}'})"
                for i, op in enumerate(["sin", "exp", "tanh", "gelu", "log1p", "erf", "sigmoid"])
            ),
            "  return %7",
        ]
    )
    graph = parse_graph(text)
    x = np.random.default_rng(0).normal(size=515).astype(DType(dtype).numpy)
    ours = NativeBackend(target(name)).run(graph, [x])[0]
    assert ours.tobytes() == NativeBackend().run(graph, [x])[0].tobytes()


def test_products_have_the_same_bits_where_both_fuse():
    graph = parse_graph(
        "graph f(a: f32[7,33], b: f32[33,19]) -> f32[7,19]\n"
        "  y: f32[7,19] = contract(a, b)  over=[1,0]\n  return y"
    )
    rng = np.random.default_rng(1)
    a, b = (rng.normal(size=s).astype(np.float32) for s in ((7, 33), (33, 19)))
    avx2, full = NativeBackend(target("avx2")), NativeBackend()
    assert avx2.run(graph, [a, b])[0].tobytes() == full.run(graph, [a, b])[0].tobytes()
    without = [NativeBackend(target(name)) for name in ("avx2 without fma", "sse2")]
    first, second = (backend.run(graph, [a, b])[0] for backend in without)
    assert first.tobytes() == second.tobytes()


def test_vectors_are_as_long_as_the_features_allow():
    assert of_features("x86_64-linux", {"sse2"}, "+sse2").lanes(DType.F32) == 4
    assert of_features("x86_64-linux", {"sse2", "avx2"}, "").lanes(DType.F32) == 8
    wide = {"avx2", "fma", "avx512f", "avx512vl", "avx512dq", "avx512bw"}
    assert of_features("x86_64-linux", wide, "").lanes(DType.F64) == 8
