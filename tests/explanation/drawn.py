"""Random training steps, drawn from the registries, whose numbers are opened.

Network i begins with the i-th registered layer, is trained by the i-th loss and the i-th optimiser
(counted round), so that each of them appears; the rest is chance: layers, widths, options, frozen
parameters, weights of examples, penalties, clipping, batches that are not full.
"""

import itertools

import numpy as np

import chainrule as cr
from chainrule import nn, optim
from tests.nn.loss_grid import make_grid
from tests.optim.grids import GRIDS, made

CASES = {name: [case for case in make_grid() if case.name == name] for name in nn.LOSSES}
WITHOUT_CASES = {"ContrastiveDivergence"}  # it trains a machine of its own


class Calling(nn.Module):
    """f(x), where the module f takes something else: two inputs, another shape, a list."""

    def __init__(self, module, call):
        self.module, self.call = module, call

    def forward(self, x):
        return self.call(self.module, x)


class Repeating(nn.Module):
    """f(f(x)), with the same weights."""

    def __init__(self, width):
        self.linear = nn.Linear(width, width)

    def forward(self, x):
        return self.linear(self.linear(x).tanh())


class Several(nn.Module):
    """Several outputs of one value."""

    def __init__(self, *modules):
        self.heads = list(modules)

    def forward(self, x):
        return tuple(head(x) for head in self.heads)


@cr.custom_gradient(lambda x, y, d_y: 0.5 * d_y * (1 + y * y))
def skewed(x):
    return x / (1 + x.abs())


def simple(name, **options):
    return lambda width, rng: (nn.LAYERS[name](**options), width)


def normalising(make):
    return lambda width, rng: (make(width), width)


def even(width, make):
    """What needs an even width, behind a layer that gives one."""
    wide = width + width % 2
    return nn.Sequential(nn.Linear(width, wide), make()), wide


def from_pairs(make):
    """A layer of (B, C, L), between layers that split and join the last axis."""

    def build(width, rng):
        wide = width + width % 2
        split = [nn.Linear(width, wide), nn.Unflatten(-1, (wide // 2, 2))]
        return nn.Sequential(*split, make(wide // 2), nn.Flatten()), wide

    return build


def listed(width, rng):
    layers = nn.ModuleList([nn.Linear(width, 3), nn.Tanh()])
    return Calling(layers, lambda layers, x: layers[1](layers[0](x))), 3


def keyed(width, rng):
    layers = nn.ModuleDict({"b": nn.Linear(width, 3), "a": nn.Sigmoid()})
    return Calling(layers, lambda layers, x: layers["a"](layers["b"](x))), 3


def counted(width, rng):
    """Numbers cut off to rows of a table."""

    def call(table, x):
        rows = table((x.abs() * 2).astype("int64") % 5)
        return rows.reshape(len(rows), -1)

    return Calling(nn.Embedding(5, 2, padding_idx=int(rng.integers(5))), call), 2 * width


LAYERS = {
    **{
        name: simple(name)
        for name in ("Sigmoid", "Tanh", "LogSigmoid", "Softsign", "Tanhshrink", "Hardsigmoid")
    },
    **{name: simple(name) for name in ("SELU", "SiLU", "Mish", "Hardswish", "ReLU", "ReLU6")},
    **{name: simple(name, dim=1) for name in ("Softmax", "LogSoftmax", "Softmin")},
    **{
        name: simple(name, p=0.25)
        for name in ("Dropout", "AlphaDropout", "FeatureAlphaDropout")
    },
    "Softplus": simple("Softplus", beta=2.0, threshold=1.5),
    "Hardtanh": simple("Hardtanh", min_val=-0.5, max_val=0.75),
    "Hardshrink": simple("Hardshrink", lambd=0.25),
    "Softshrink": simple("Softshrink", lambd=0.25),
    "LeakyReLU": simple("LeakyReLU", negative_slope=0.3),
    "Threshold": simple("Threshold", threshold=0.5, value=-1.0),
    "ELU": simple("ELU", alpha=0.5),
    "CELU": simple("CELU", alpha=0.5),
    "GELU": lambda width, rng: (nn.GELU(["tanh", "none"][rng.integers(2)]), width),
    "PReLU": lambda width, rng: (nn.PReLU(width, 0.3), width),
    "RReLU": simple("RReLU", lower=0.25, upper=0.5),
    "GLU": lambda width, rng: even(width, lambda: nn.Sequential(nn.GLU(1), nn.Linear(
        (width + width % 2) // 2, width + width % 2))),
    "Maxout": lambda width, rng: (nn.Maxout(width, 3, 2), 3),
    "BatchNorm1d": normalising(nn.BatchNorm1d),
    "LayerNorm": normalising(lambda width: nn.LayerNorm(width, 1e-3)),
    "RMSNorm": normalising(lambda width: nn.RMSNorm(width, 1e-3)),
    "GroupNorm": lambda width, rng: even(
        width, lambda: nn.GroupNorm((width + width % 2) // 2, width + width % 2)
    ),
    "Sequential": lambda width, rng: (nn.Sequential(Repeating(width), nn.Tanh()), width),
    "ModuleList": listed,
    "ModuleDict": keyed,
    "Linear": lambda width, rng: (nn.Linear(width, 4, bias=False), 4),
    "Bilinear": lambda width, rng: (
        Calling(nn.Bilinear(width, width, 3), lambda layer, x: layer(x, x.tanh())), 3
    ),
    "Identity": lambda width, rng: (
        nn.Sequential(nn.Identity(), Calling(nn.Identity(), lambda _, x: skewed(x))), width
    ),
    "Flatten": simple("Flatten"),
    "Unflatten": from_pairs(lambda channels: nn.Identity()),
    "Dropout1d": from_pairs(lambda channels: nn.Dropout1d(0.25)),
    "RestrictedBoltzmann": lambda width, rng: (nn.RestrictedBoltzmann(width, 3), width),
    "Residual": lambda width, rng: (
        nn.Residual(nn.Sequential(nn.Linear(width, width), nn.ELU())), width
    ),
    "Parallel": lambda width, rng: (nn.Parallel(nn.Linear(width, 2), nn.Tanh()), width + 2),
    "Embedding": counted,
}  # fmt: skip
"""For each registered layer: (width, rng) to a module of (B, width), and the width it gives."""

DOMAINS = {
    "probabilities": nn.Sigmoid,
    "log_p_and_labels": lambda: nn.LogSoftmax(1),
    "log_p_and_some_ignored": lambda: nn.LogSoftmax(1),
    "log_p_and_distributions": lambda: nn.LogSoftmax(1),
    "log_p_and_sure": lambda: nn.LogSoftmax(1),
    "log_p_and_log_distributions": lambda: nn.LogSoftmax(1),
    "rates": nn.Softplus,
    "distances": nn.Softplus,
}
"""What makes a network's outputs of the kind that a loss reads, by how its cases are drawn."""
POSITIVE_SECOND = {"means_and_variances", "small_variances", "one_variance_each"}


def head(case, width, array, is_positive):
    """A layer from (B, width) to the shape of one output of a case."""
    shape = array.shape[1:]
    layers = [nn.Linear(width, int(np.prod(shape, dtype=int)))]
    if len(shape) > 1:
        layers.append(nn.Unflatten(-1, shape))
    elif not shape:
        layers.append(Calling(nn.Identity(), lambda _, x: x[:, 0]))
    if is_positive:
        layers.append(nn.Softplus())
    elif case.draw.__name__ in DOMAINS:
        layers.append(DOMAINS[case.draw.__name__]())
    return nn.Sequential(*layers)


def drawn_optimizer(name, parameters, rng):
    """With options of the grid, clipped and bounded by chance."""
    options = GRIDS[name][int(rng.integers(len(GRIDS[name])))]
    limits = {}
    if rng.random() < 0.4:
        limits[["clip_norm", "clip_value", "max_norm"][rng.integers(3)]] = 0.05
    return made(name, parameters, **{"lr": 0.1, **options, **limits})


def draw(i, dtype, backend):
    """The trace of the i-th random step."""
    rng = np.random.default_rng(i)
    name = list(nn.LOSSES)[i % len(nn.LOSSES)]
    if name in WITHOUT_CASES:
        width, batch, penalty = int(rng.integers(2, 6)), int(rng.integers(1, 5)), None
        net, loss = nn.RestrictedBoltzmann(width, 3), nn.LOSSES[name]()
        x = y = (rng.random((batch, width)) < 0.5).astype(dtype)
        given = {}
    else:
        case = CASES[name][int(rng.integers(len(CASES[name])))]
        outputs, y = case.draw(case.shape)
        y = np.zeros(len(outputs[0])) if y is None else y  # it compares outputs with each other
        loss, batch = case.loss, len(outputs[0])
        width = int(rng.integers(2, 8))
        x = rng.normal(size=(batch, width)).astype(dtype)
        if rng.random() < 0.3:
            x[rng.random(x.shape) < 0.3] = 0.0
        first = list(nn.LAYERS)[i % len(nn.LAYERS)]
        others = rng.choice(list(nn.LAYERS), rng.integers(0, 6))
        layers = []
        for position, kind in enumerate([first, *map(str, others)]):
            if position and rng.random() < 0.5:
                wide = int(rng.integers(1, 8))
                layers.append(nn.Linear(width, wide))
                width = wide
            layer, width = LAYERS[kind](width, rng)
            layers.append(layer)
        second = case.draw.__name__ in POSITIVE_SECOND
        heads = [head(case, width, array, second and k) for k, array in enumerate(outputs)]
        net = nn.Sequential(*layers, heads[0] if len(heads) == 1 else Several(*heads))
        given = weights_of_examples(y, batch, rng)
        penalty = [None, None, nn.L2Penalty(0.01), nn.L1Penalty(0.01)][rng.integers(4)]
    net = net.astype(dtype).initialize(seed=i)
    freeze_one(net, rng)
    if np.asarray(y).dtype.kind == "f":
        y = np.asarray(y, dtype)
    optimizer = drawn_optimizer(
        list(optim.OPTIMIZERS)[i % len(optim.OPTIMIZERS)], net.trainable_parameters(), rng
    )
    if rng.random() < 0.5 and batch > 4:  # the last batch of an epoch, which is not full
        size = batch - 2
        run = cr.fit(
            net, x, y, loss=loss, optimizer=optimizer, penalty=penalty, batch_size=size, epochs=1,
            backend=backend, dtype=dtype, seed=i, progress=False, **given,
        )  # fmt: skip
        return cr.explain(run.at(step=1))
    return cr.explain(
        net, x, y, loss=loss, optimizer=optimizer, penalty=penalty, backend=backend, seed=i, **given
    )


def weights_of_examples(y, batch, rng):
    given = {}
    if rng.random() < 0.3:
        given["sample_weight"] = rng.integers(1, 4, batch) / 2
    is_labels = isinstance(y, np.ndarray) and y.dtype.kind == "i" and y.ndim == 1 and y.min() >= 0
    if is_labels and rng.random() < 0.5:
        given["class_weight"] = {int(label): 0.5 + int(label) for label in np.unique(y)}
    return given


def freeze_one(net, rng):
    parameters = list(net.trainable_parameters().values())
    if len(parameters) > 3 and rng.random() < 0.25:
        parameters[int(rng.integers(len(parameters)))].requires_grad = False


def random_places(trace, count, seed):
    """Random numbers of random nodes that the step computes; half of them have names."""
    rng = np.random.default_rng(seed)
    graph = trace.graph
    computed = [
        i for i, node in enumerate(graph.nodes) if node.op != "input" and trace.values[i].size
    ]
    named = [i for i in computed if graph.nodes[i].name]
    for k in range(count):
        among = named if k % 2 else computed
        node = among[int(rng.integers(len(among)))]
        index = tuple(int(rng.integers(int(n))) for n in graph.nodes[node].shape)
        yield graph.name_of(node), index


COMBINATIONS = list(itertools.product(["float32", "float64"], ["native", "numpy"]))
