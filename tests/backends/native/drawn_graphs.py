"""Random graphs of all ops: odd shapes, all dtypes, shared values, long chains, many views."""

import math

import numpy as np

from chainrule.base.errors import ChainruleError
from chainrule.graph import DType, TensorType
from chainrule.ops import OPS, Builder, Elementwise

FLOATS = (DType.F32, DType.F64)
INTEGERS = (DType.I32, DType.I64, DType.U32)
SIZES = (0, 1, 1, 2, 2, 3, 3, 4, 5, 7, 8, 13)
LARGEST = 700
CONSTANTS = (0, 1, -1, 2.5, 1e30, -1e-30, math.inf, math.nan, 2**31 - 1, -(2**31), 7, True)
FUNCTIONS = [
    op
    for op in (OPS.get(name) for name in OPS)
    if isinstance(op, Elementwise) and all(value is not ... for value in op.defaults.values())
]


class Drawing:
    """A graph being drawn.

    Parameters
    ----------
    seed : int
    """

    def __init__(self, seed):
        self.rng = np.random.default_rng([seed, 77])
        self.b = Builder()
        self.values = []
        self.arrays = {}

    # --- what is chosen ------------------------------------------------------------------------

    def one_of(self, things):
        return things[int(self.rng.integers(len(things)))]

    def some(self, count):
        return int(self.rng.integers(count))

    def value(self, *dtypes):
        """A value of one of these dtypes, rather a late one; a new input where there is none."""
        found = [v for v in self.values if not dtypes or v.dtype in dtypes]
        if not found:
            return self.input(self.shape(), self.one_of(dtypes))
        late = self.rng.random() < 0.6
        return self.one_of(found[-4:]) if late else self.one_of(found)

    def axis(self, x):
        return self.some(len(x.shape)) if x.shape else None

    def shape(self):
        rank = self.one_of((0, 1, 1, 2, 2, 2, 3, 4, 5))
        shape = tuple(self.one_of(SIZES if rank < 3 else SIZES[1:8]) for _ in range(rank))
        if rank == 1 and self.rng.random() < 0.2:
            shape = (self.some(LARGEST),)
        return shape if math.prod(shape) <= LARGEST else shape[:2]

    def input(self, shape, dtype, below=None):
        """A new input and its array; integers from 0 up to `below`, where one is given."""
        rng, name = self.rng, f"x{len(self.arrays)}"
        if dtype.is_float:
            array = rng.normal(size=shape) * 10.0 ** self.one_of((-3, 0, 0, 0, 0, 2))
            if rng.random() < 0.15:
                array = np.where(rng.random(shape) < 0.2, self.one_of((0.0, -0.0, np.inf)), array)
        elif dtype is DType.BOOL:
            array = rng.random(shape) < 0.5
        elif below is not None:
            array = rng.integers(0, max(below, 1), shape)
        else:
            limit = self.one_of((3, 100, 2**31 - 1))
            array = rng.integers(0 if dtype is DType.U32 else -limit, limit, shape)
        self.arrays[name] = np.asarray(array).astype(dtype.numpy)
        value = self.b.input(TensorType(tuple(shape), dtype), name)
        self.values.append(value)
        return value

    def apply(self, op, *operands, **attributes):
        """Append an op, unless its result would be large."""
        made = self.b.apply(op, *operands, **attributes)
        self.values.append(made)
        return made

    # --- steps -----------------------------------------------------------------------------------

    def function(self):
        """Any elementwise op, of values whose shapes go together."""
        op = self.one_of(FUNCTIONS)
        dtypes = {
            "float": FLOATS, "number": (*FLOATS, *INTEGERS), "integer": INTEGERS,
            "bool": (DType.BOOL,), "any": tuple(DType),
        }[op.accepts]  # fmt: skip
        x = self.value(*dtypes)
        operands = [x]
        while len(operands) < op.arity - op.condition:
            operands.append(self.beside(x, x.dtype))
        if op.condition:
            operands.insert(0, self.beside(x, DType.BOOL))
        self.rng.shuffle(operands[op.condition :])
        self.apply(op.name, *operands)

    def beside(self, x, dtype):
        """A value of this dtype that broadcasts with x."""
        found = [
            v
            for v in self.values
            if v.dtype is dtype
            and len(v.shape) <= len(x.shape)
            and all(a in (1, b) for a, b in zip(v.shape[::-1], x.shape[::-1], strict=False))
        ]
        draw = self.rng.random()
        if found and draw < 0.7:
            return self.one_of(found)
        if draw < 0.85 and dtype is not DType.BOOL:
            number = self.one_of(CONSTANTS)
            if not dtype.is_float:
                number = int(number) % 2**31 if math.isfinite(number) else 5
            return self.b.constant(float(number) if dtype.is_float else number, dtype)
        kept = [size if self.rng.random() < 0.7 else 1 for size in x.shape]
        return self.input(kept[self.some(len(kept) + 1) :], dtype)

    def chain(self):
        """Many functions one after the other, and the first of them once more."""
        first = x = self.value(*FLOATS)
        for _ in range(self.one_of((5, 20, 60))):
            op = self.one_of(
                ("tanh", "sin", "sigmoid", "square", "neg", "add", "mul", "max", "div")
            )
            x = self.b.apply(op, x, *([first] if OPS.get(op).arity == 2 else []))
        self.values.append(x)

    def fan(self):
        """One value used many times."""
        x = self.value(*FLOATS)
        made = [self.b.apply(self.one_of(("exp", "relu", "abs", "cos")), x) for _ in range(12)]
        total = made[0]
        for each in made[1:]:
            total = total + each
        self.values += [total, self.one_of(made)]

    def cast(self):
        self.apply("cast", self.value(*INTEGERS, DType.BOOL), dtype=self.one_of(tuple(DType)))

    def widen(self):
        x = self.value(*FLOATS)
        self.apply("cast", x, dtype=self.one_of((*FLOATS, DType.BOOL)))

    def count(self):
        shape = self.shape() or (3,)
        axis = self.some(len(shape))
        self.apply("iota", shape=shape, axis=axis, dtype=self.one_of((*FLOATS, *INTEGERS)))

    def view(self):
        """A few views one after the other."""
        x = self.value()
        for _ in range(self.one_of((1, 1, 2, 5))):
            x = self.one_of(
                (self.transposed, self.sliced, self.flipped, self.reshaped, self.spread)
            )(x)
        self.values.append(x)

    def transposed(self, x):
        return self.b.transpose(x, axes=tuple(map(int, self.rng.permutation(len(x.shape)))))

    def sliced(self, x):
        starts = [self.some(size + 1) for size in x.shape]
        stops = [a + self.some(size - a + 1) for a, size in zip(starts, x.shape, strict=True)]
        if self.rng.random() < 0.7:
            starts = [min(a, 1) for a in starts]
            stops = [int(size) for size in x.shape]
        steps = tuple(self.one_of((1, 1, 2, 3)) for _ in starts)
        return self.b.slice(x, starts=tuple(starts), stops=tuple(stops), steps=steps)

    def flipped(self, x):
        axes = tuple(axis for axis in range(len(x.shape)) if self.rng.random() < 0.5)
        return self.b.flip(x, axes=axes)

    def reshaped(self, x):
        size, shape = math.prod(x.shape), []
        for prime in (2, 3, 5, 7, 13):
            while size and size % prime == 0 and len(shape) < 5:
                shape.append(prime)
                size //= prime
        shape.append(size)
        return self.b.reshape(x, shape=tuple(map(int, self.rng.permutation(shape))))

    def spread(self, x):
        shape = [self.one_of((2, 3)) if size == 1 else int(size) for size in x.shape]
        shape = [self.one_of((1, 2, 3)) for _ in range(self.some(2))] + shape
        return self.b.broadcast(x, shape=tuple(shape)) if math.prod(shape) <= LARGEST else x

    def joined(self):
        x = self.value()
        others = [v for v in self.values if v.type == x.type]
        if x.shape:
            self.apply(
                "concat", x, *(self.one_of(others) for _ in range(self.some(3))), axis=self.axis(x)
            )

    def padded(self):
        x = self.value()
        widths = [tuple(self.some(3) for _ in x.shape) for _ in range(3)]
        filler = self.b.constant(True if x.dtype is DType.BOOL else 3, x.dtype)
        self.apply("pad", x, filler, low=widths[0], high=widths[1], interior=widths[2])

    def reduced(self):
        x = self.value(*FLOATS, *INTEGERS)
        if not x.shape:
            return
        axes = tuple(axis for axis in range(len(x.shape)) if self.rng.random() < 0.5)
        axis = self.axis(x)
        match self.some(6):
            case 0 | 1:
                self.apply("sum", x, axes=axes)
            case 2:
                self.apply("amax", x, axis=axis)
            case 3:
                self.apply("argmax", x, axis=axis)
            case 4:
                self.apply("cumsum", x, axis=axis, reverse=self.rng.random() < 0.5)
            case 5:
                self.apply("argsort", x, axis=axis, descending=self.rng.random() < 0.5)

    def composite(self):
        x = self.value(*FLOATS)
        if x.shape:
            self.apply(self.one_of(("softmax", "log_softmax")), x, axis=self.axis(x))

    def product(self):
        x, y = self.value(*FLOATS), self.value(*FLOATS)
        if y.dtype is not x.dtype or self.rng.random() < 0.5:
            shape = [self.one_of(SIZES) for _ in range(self.some(3))]
            shape += [size for size in x.shape if self.rng.random() < 0.6]
            y = self.input(tuple(map(int, self.rng.permutation(shape)))[:4], x.dtype)
        pairs, left = [], list(range(len(y.shape)))
        for i, size in enumerate(x.shape):
            same = [j for j in left if y.shape[j] == size]
            if same and self.rng.random() < 0.8:
                j = self.one_of(same)
                left.remove(j)
                pairs.append((i, j))
        batch = [pair for pair in pairs if self.rng.random() < 0.25]
        over = [pair for pair in pairs if pair not in batch]
        free = math.prod(x.shape) * math.prod(y.shape)
        for i, _ in pairs:
            free //= max(int(x.shape[i]), 1) ** 2
        if free * math.prod(int(x.shape[i]) for i, _ in pairs) <= 20 * LARGEST:
            self.apply("contract", x, y, over=sum(over, ()), batch=sum(batch, ()))

    def by_position(self):
        x = self.value(*FLOATS)
        if not x.shape or 0 in x.shape:
            return
        axis = self.axis(x)
        size, kind = int(x.shape[axis]), self.one_of((DType.I32, DType.I64, DType.U32))
        match self.some(4):
            case 0:
                at = self.input(
                    (self.one_of(SIZES), self.one_of((1, 2)))[: self.some(3)], kind, size
                )
                self.apply("gather", x, at, axis=axis)
            case 1:
                rows = self.one_of((1, 3, 8))
                at = self.input((size,), kind, rows)
                self.apply("scatter_add", x, at, axis=axis, size=rows)
            case 2:
                shape = [
                    self.one_of((1, 5)) if i == axis else int(s) for i, s in enumerate(x.shape)
                ]
                self.apply("take_along_axis", x, self.input(shape, kind, size), axis=axis)
            case 3:
                at = self.input(tuple(map(int, x.shape)), kind, 4)
                self.apply("add_along_axis", x, at, axis=axis, size=4)

    def bits(self):
        seed = self.input((2,), DType.U32)
        step, rows = self.input((), DType.I64, 1000), self.input((self.some(5),), DType.I64, 99)
        shape = tuple(self.one_of(SIZES) for _ in range(self.some(3)))
        self.apply("random_bits", seed, step, rows, shape=shape, stream="drawn")

    STEPS = (
        *[function] * 8, chain, fan, cast, widen, count, *[view] * 5, joined, padded,
        *[reduced] * 3, composite, *[product] * 3, *[by_position] * 2, bits,
    )  # fmt: skip


def drawn_graph(seed):
    """A graph and arrays for its inputs: the same ones for the same seed."""
    drawing = Drawing(seed)
    for _ in range(2):
        drawing.input(drawing.shape(), drawing.one_of(FLOATS))
    for _ in range(drawing.one_of((4, 10, 25))):
        try:
            drawing.one_of(Drawing.STEPS)(drawing)
        except ChainruleError:
            continue  # these values do not go with this op
    values = [v for v in drawing.values if math.prod(v.shape) <= 20 * LARGEST]
    chosen = {f"y{i}": drawing.one_of(values) for i in range(1 + drawing.some(3))}
    graph = drawing.b.build("drawn", chosen | {"last": values[-1]})
    return graph, [drawing.arrays[name] for name in graph.input_names]
