from benchmarks.profile import operations, profile
from chainrule.backends.native.nest import Apply, Kernel, Let, Loop, Number, Read, index
from chainrule.graph import DType


def test_a_fused_multiply_add_is_two_operations_in_each_iteration():
    a = Read("a", index("i"), DType.F32)
    body = (Let("b", Apply("fma", (a, a, Number(1.0, DType.F32)), DType.F32)),)
    kernel = Kernel("k", (Loop("i", 3, (Loop("j", 5, body),)),))
    assert operations(kernel.body) == 2 * 3 * 5


def test_what_is_shared_is_counted_once():
    a = Read("a", index("i"), DType.F32)
    square = Apply("mul", (a, a), DType.F32)
    assert operations([Let("b", Apply("add", (square, square), DType.F32))]) == 2


def test_every_kernel_of_a_step_is_timed():
    found = profile("w1", steps=100, repeats=3, alone=1e-4)
    assert len({each.kernel.name for each in found}) == len(found)
    assert all(each.in_step >= 0 and each.alone > 0 for each in found)
    assert "loss" in ", ".join(each.makes for each in found).split(", ")
