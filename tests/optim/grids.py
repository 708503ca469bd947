"""Options of every optimiser, from which all suites take their cases.

A registered optimiser without an entry fails (`test_every_optimizer_has_cases`), so none can be
added without being compared, resumed, traced, saved and refused like the others.
"""

import itertools

from chainrule import optim


def combinations(**choices):
    return [
        dict(zip(choices, values, strict=True)) for values in itertools.product(*choices.values())
    ]


SGD = [
    options
    for options in combinations(
        momentum=[0.0, 0.9],
        dampening=[0.0, 0.3],
        weight_decay=[0.0, 0.05],
        nesterov=[False, True],
        maximize=[False, True],
    )
    if not options["nesterov"] or (options["momentum"] and not options["dampening"])
]
MOMENTS = [
    *combinations(
        betas=[(0.9, 0.999), (0.0, 0.5), (0.8, 0.0)],
        weight_decay=[0.0, 0.05],
        amsgrad=[False, True],
        maximize=[False, True],
    ),
    {"eps": 1e-3},
    {"eps": 0.5, "lr": 0.1},
    {"weight_decay": 3.0},
]
RMSPROP = combinations(
    alpha=[0.99, 0.5],
    weight_decay=[0.0, 0.05],
    momentum=[0.0, 0.9],
    centered=[False, True],
    maximize=[False, True],
)
ADAGRAD = combinations(
    lr_decay=[0.0, 0.1],
    weight_decay=[0.0, 0.05],
    initial_accumulator_value=[0.0, 0.5],
    maximize=[False, True],
)
ADADELTA = combinations(rho=[0.9, 0.5, 0.0], weight_decay=[0.0, 0.05], maximize=[False, True])
ADAMAX = combinations(
    betas=[(0.9, 0.999), (0.0, 0.5), (0.8, 0.0)],
    weight_decay=[0.0, 0.05],
    maximize=[False, True],
)
NADAM = combinations(
    betas=[(0.9, 0.999), (0.0, 0.5)],
    weight_decay=[0.0, 0.05],
    momentum_decay=[4e-3, 1.0],
    decoupled_weight_decay=[False, True],
)
# ρ∞ is 3, so that no update is rectified; 19, so that the first few are not; and 1999.
RADAM = combinations(
    betas=[(0.0, 0.5), (0.5, 0.9), (0.9, 0.999)],
    weight_decay=[0.0, 0.05],
    decoupled_weight_decay=[False, True],
)
RPROP = combinations(
    etas=[(0.5, 1.2), (0.1, 3.0)],
    step_sizes=[(1e-6, 50.0), (0.01, 0.1)],
    maximize=[False, True],
)
ASGD = combinations(lambd=[0.0, 0.5], alpha=[0.75, 0.0], t0=[1e6, 0.0, 20.0])
LION = combinations(
    betas=[(0.9, 0.99), (0.0, 0.5), (0.8, 0.0)],
    weight_decay=[0.0, 0.05],
    maximize=[False, True],
)
MUON = combinations(
    weight_decay=[0.0, 0.5],
    momentum=[0.95, 0.0],
    nesterov=[False, True],
    adjust_lr_fn=[None, "match_rms_adamw"],
)
MUON += [
    {"ns_coefficients": (1.5, -0.5, 0.0), "ns_steps": 12},
    {"ns_steps": 0},
    {"eps": 100.0},
    {"adjust_lr_fn": "original"},
]
GRIDS = {
    "ASGD": [*ASGD, {}, {"weight_decay": 0.05, "maximize": True}],
    "Adadelta": [*ADADELTA, {}, {"eps": 1e-2}],
    "Adagrad": [*ADAGRAD, {"eps": 0.1}],
    "Adam": MOMENTS,
    "Adamax": [*ADAMAX, {"eps": 0.1}],
    "AdamW": [*MOMENTS, {}],
    "Lion": [*LION, {}],
    "Muon": [*MUON, {}],
    "NAdam": [*NADAM, {}, {"eps": 0.1, "maximize": True}],
    "RAdam": [*RADAM, {}, {"eps": 0.1, "maximize": True}],
    "RMSprop": [*RMSPROP, {"alpha": 0.0}, {"eps": 0.1, "centered": True}],
    "Rprop": RPROP,
    "SGD": SGD,
}
CASES = [(name, options) for name, grid in GRIDS.items() for options in grid]

TYPICAL = {
    "ASGD": {"lambd": 0.1, "t0": 5.0, "weight_decay": 0.01},
    "Adadelta": {"weight_decay": 0.01},
    "Adagrad": {"lr_decay": 0.1, "weight_decay": 0.01, "initial_accumulator_value": 0.5},
    "Adam": {"amsgrad": True, "weight_decay": 0.01},
    "AdamW": {},
    "Adamax": {"weight_decay": 0.01},
    "Lion": {"weight_decay": 0.01},
    "Muon": {"ns_steps": 1},  # what may be lost grows 100-fold with each: see test_muon.py
    "NAdam": {"weight_decay": 0.01, "decoupled_weight_decay": True},
    "RAdam": {"betas": (0.9, 0.99), "weight_decay": 0.01},
    "RMSprop": {"momentum": 0.9, "centered": True, "weight_decay": 0.01},
    "Rprop": {},
    "SGD": {"momentum": 0.9, "dampening": 0.1, "weight_decay": 0.01},
}
"""One choice for each, with as much in it as the optimiser has: for suites that are slow."""


def made(name, parameters, **options):
    """The optimiser, with SGD for the parameters that it does not take."""
    cls = optim.OPTIMIZERS[name]
    others = [path for path, w in parameters.items() if cls.rank not in (None, len(w.shape))]
    groups = {path: optim.SGD(lr=cls(**options).lr) for path in others}
    return cls(**options, groups=groups) if groups else cls(**options)


def identify(value):
    if isinstance(value, dict):
        return ",".join(f"{k}={v}" for k, v in value.items()) or "defaults"
    return value


SCHEDULES = {
    "SequentialLR": [
        {
            "schedulers": [
                {"name": "LinearLR", "total_iters": 7, "unit": "epoch"},
                {"name": "CosineAnnealingLR", "T_max": 50},
            ],
            "milestones": [7],
        },
        {
            "schedulers": [
                {"name": "ExponentialLR", "gamma": 0.9},
                {"name": "StepLR", "step_size": 4, "gamma": 0.5},
                {"name": "PolynomialLR", "total_iters": 12, "power": 2.0},
            ],
            "milestones": [5, 40],
        },
        {"schedulers": [{"name": "MultiStepLR", "milestones": [3]}], "milestones": []},
    ],
    "ChainedScheduler": [
        {
            "schedulers": [
                {"name": "LinearLR", "total_iters": 20, "unit": "epoch"},
                {"name": "ExponentialLR", "gamma": 0.9},
                {"name": "MultiStepLR", "milestones": [10, 30], "gamma": 0.5},
            ]
        },
        {
            "schedulers": [
                {"name": "PolynomialLR", "total_iters": 80},
                {"name": "StepLR", "step_size": 7, "gamma": 0.7},
            ]
        },
    ],
    "MultiStepLR": [
        {"milestones": [3, 20, 50]},
        {"milestones": [9, 9, 0, 4], "gamma": 0.7},
        {"milestones": []},
    ],
    "PolynomialLR": [{}, {"total_iters": 55, "power": 2.5}, {"total_iters": 80, "power": 0.5}],
    "CosineAnnealingWarmRestarts": [
        {"T_0": 7},
        {"T_0": 5, "T_mult": 2, "eta_min": 0.01},
        {"T_0": 1, "T_mult": 3},
        {"T_0": 80},
    ],
    "CyclicLR": [
        {"base_lr": 0.01, "max_lr": 0.5, "step_size_up": 7},
        {"base_lr": 0.0, "max_lr": 0.5, "step_size_up": 7, "step_size_down": 3},
        {"base_lr": 0.1, "max_lr": 0.05, "step_size_up": 4, "mode": "triangular2"},
        {"base_lr": 0.1, "max_lr": 0.5, "step_size_up": 9, "mode": "exp_range", "gamma": 0.95},
        {"base_lr": 0.1, "max_lr": 0.5},
    ],
    "OneCycleLR": [
        {"max_lr": 0.7, "total_steps": 60},
        {"max_lr": 0.7, "epochs": 7, "steps_per_epoch": 10, "anneal_strategy": "linear"},
        {"max_lr": 0.7, "total_steps": 60, "three_phase": True, "pct_start": 0.25},
        {"max_lr": 0.7, "total_steps": 61, "div_factor": 3.0, "final_div_factor": 7.0},
        {"max_lr": 0.7, "total_steps": 90, "pct_start": 0.9, "anneal_strategy": "linear"},
    ],
    "StepLR": [{"step_size": 4}, {"step_size": 1, "gamma": 0.7}],
    "ExponentialLR": [{"gamma": 0.9}, {"gamma": 1.1}],
    "ConstantLR": [{}, {"factor": 0.25, "total_iters": 1}, {"factor": 1.0, "total_iters": 60}],
    "LinearLR": [
        {},
        {"start_factor": 0.01, "end_factor": 0.5, "total_iters": 17},
        {"start_factor": 1.0, "end_factor": 0.0, "total_iters": 60},
    ],
    "CosineAnnealingLR": [
        {"T_max": 60},
        {"T_max": 50, "eta_min": 0.01},
        {"T_max": 7, "eta_min": 0.1},
        {"T_max": 1},
    ],
}
SCHEDULE_CASES = [(name, options) for name, grid in SCHEDULES.items() for options in grid]
TYPICAL_SCHEDULES = {name: grid[0] for name, grid in SCHEDULES.items()}
