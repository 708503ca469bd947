"""Code for other processors: run as theirs, and looked at for what they have not."""

from contextlib import nullcontext

import numpy as np
import pytest

from chainrule.backends import get_backend
from chainrule.backends.native.backend import NativeBackend
from chainrule.backends.native.compiled import compile_step
from chainrule.backends.native.machine import object_code
from chainrule.backends.native.routine import Stages
from chainrule.graph import DType, TensorType
from chainrule.ops import OPS, Builder, Elementwise
from chainrule.testing import check_backend
from tests.backends.native.disassembly import refused
from tests.backends.native.drawn import arrays_of, drawn_network
from tests.backends.native.emulated import PROCESSORS, Emulated, foreign
from tests.backends.native.evaluator import evaluate
from tests.backends.native.targets import check_share, loops, target
from tests.sampling import dealt, slow


class NowAndThen(Emulated):
    """Runs one graph of so many, and looks at its code; the others are not its business."""

    def __init__(self, name, every, folder):
        super().__init__(name)
        self.every, self.folder, self.count = every, folder, 0

    def run(self, graph, inputs):
        self.count += 1
        if self.count % self.every:
            return get_backend("numpy").run(graph, inputs)
        with loops() if self.count // self.every % 2 or self.every == 1 else nullcontext():
            assert refused(Stages(graph, self.target).code, self.name, self.folder) == ([], [])
            return super().run(graph, inputs)


@pytest.mark.parametrize(("share", "name"), list(enumerate(PROCESSORS)))
def test_some_ops_conform(share, name, tmp_path, monkeypatch):
    backend = NowAndThen(name, 5, tmp_path)
    check_share(backend, share, len(PROCESSORS), monkeypatch)
    assert backend.count > 100


@pytest.mark.slow
@pytest.mark.parametrize("name", PROCESSORS)
def test_every_op_conforms(name, tmp_path):
    check_backend(NowAndThen(name, 1, tmp_path))


@pytest.mark.parametrize("seed", [60, *map(slow, range(61, 83))])
@pytest.mark.parametrize("name", PROCESSORS)
def test_a_training_step_has_the_bits_it_must_have(name, seed, tmp_path):
    step, *given = drawn_network(seed)
    arrays = arrays_of(step, *given)
    there = Emulated(name)
    found = there.run(step.graph, arrays)
    if name == "aarch64":
        expected = evaluate(step.graph, arrays, there.target.fma)
    else:
        expected = NativeBackend(target(name)).run(step.graph, arrays)
    for label, a, b in zip(step.graph.labels, expected, found, strict=True):
        assert a.tobytes() == b.tobytes(), label
    assert refused(Stages(step.graph, there.target).code, name, tmp_path) == ([], [])


def every_function(dtype, count):
    """All elementwise ops of floats to floats, each an output of one graph."""
    b = Builder()
    outputs = {}
    x = [b.input(TensorType((count,), dtype), f"x{i}") for i in range(3)]
    for name in OPS:
        op = OPS.get(name)
        takes = isinstance(op, Elementwise) and op.accepts in ("float", "number", "any")
        if takes and not op.condition and op.returns is None:
            outputs[name] = b.apply(name, *x[: op.arity])
    return b.build("f", outputs)


@pytest.mark.parametrize("dtype", [DType.F32, DType.F64], ids=lambda dtype: dtype.value)
def test_every_function_has_the_same_bits_on_a_processor_of_another_make(dtype):
    rng = np.random.default_rng(5)
    spread = rng.normal(size=(3, 181)) * 10.0 ** rng.integers(-6, 7, (3, 181))
    special = [0.0, -0.0, 1.0, -1.0, 0.5, np.inf, -np.inf, np.nan, 1e-310, 1e300, 88.0, -0.25]
    pairs = np.array([(a, b, 1.0) for a in special for b in special]).T
    with np.errstate(over="ignore"):
        arrays = list(np.concatenate([spread, pairs], axis=1).astype(dtype.numpy))
    graph = every_function(dtype, len(arrays[0]))
    assert len(graph.outputs) > 50
    ours, theirs = NativeBackend().run(graph, arrays), Emulated("aarch64").run(graph, arrays)
    differing = [
        label
        for label, a, b in zip(graph.labels, ours, theirs, strict=True)
        # The sign and the bits of a NaN are the processor's own.
        if np.where(np.isnan(a), 0, a).tobytes() != np.where(np.isnan(b), 0, b).tobytes()
        or (np.isnan(a) != np.isnan(b)).any()
    ]
    assert not differing


@pytest.mark.parametrize(("name", "how"), dealt(PROCESSORS, [nullcontext, loops]))
def test_a_compiled_training_has_no_foreign_instruction(name, how, tmp_path):
    step, *_ = drawn_network(64)
    with how():
        code = compile_step(step.graph, step.wiring, foreign(name)).code
    assert refused(code, name, tmp_path) == ([], [])


# --- the tester is tested ------------------------------------------------------------------------

VECTORS = """
define void @run(ptr %arena) {{
  %a = load {kind}, ptr %arena, align 8
  %b = {operation}
  store {kind} %b, ptr %arena, align 8
  ret void
}}
{declaration}
"""


def planted(name, operation, kind="<8 x float>", declaration=""):
    """Code for one target, of an instruction that others have not."""
    text = VECTORS.format(kind=kind, operation=operation, declaration=declaration)
    return object_code(text, foreign(name))


SUM = "fadd <8 x float> %a, %a"
VECTOR = "<8 x float>"
FMA = f"call {VECTOR} @llvm.fma.v8f32({VECTOR} %a, {VECTOR} %a, {VECTOR} %a)"
FMA_DECLARED = f"declare {VECTOR} @llvm.fma.v8f32({VECTOR}, {VECTOR}, {VECTOR})"


@pytest.mark.parametrize(
    ("made_for", "found_in", "operation", "instruction"),
    [
        ("avx2", "sse2", SUM, "vaddps"),
        ("avx2", "sse2", FMA, "vfmadd213ps"),
        ("avx2", "avx2 without fma", FMA, "vfmadd213ps"),
    ],
)
def test_what_a_processor_has_not_is_found_and_ends_its_program(
    made_for, found_in, operation, instruction, tmp_path
):
    code = planted(made_for, operation, declaration=FMA_DECLARED)
    assert refused(code, made_for, tmp_path) == ([], [])
    errors, _ = refused(code, found_in, tmp_path)
    assert any(error.startswith(f"`{instruction}' is not supported") for error in errors)
    Emulated(made_for).ran(code, bytes(64))
    with pytest.raises(RuntimeError, match=f"^{found_in}: ended by -4: "):  # SIGILL
        Emulated(found_in).ran(code, bytes(64))


@pytest.mark.parametrize("name", PROCESSORS)
def test_a_call_of_a_library_is_found(name, tmp_path):
    call = "call double @llvm.pow.f64(double %a, double %a)"
    code = planted(name, call, "double", "declare double @llvm.pow.f64(double, double)")
    assert refused(code, name, tmp_path) == ([], ["pow"])


@pytest.mark.parametrize("name", PROCESSORS)
def test_what_reads_past_the_arena_ends_its_program(name):
    code = planted(name, SUM)
    assert len(Emulated(name).ran(code, bytes(64))) == 64
    with pytest.raises(RuntimeError, match=f"^{name}: ended by -11: "):  # SIGSEGV
        Emulated(name).ran(code, bytes(16))
