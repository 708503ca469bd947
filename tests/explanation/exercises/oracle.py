"""The step of a chain by hand: NumPy, written from the textbook and nothing of ours."""

import numpy as np

F = {
    "Sigmoid": (lambda z: 1 / (1 + np.exp(-z)), lambda z: np.exp(-z) / (1 + np.exp(-z)) ** 2),
    "Tanh": (np.tanh, lambda z: 1 / np.cosh(z) ** 2),
    "ReLU": (lambda z: np.maximum(z, 0), lambda z: (z > 0) * 1.0),
    "none": (lambda z: z, np.ones_like),
}


def by_hand(made):
    """{name: array} of every value of a textbook's step, for one example or more."""
    setting, given = made.setting, made.given
    m = setting.examples
    weights = [given.state[name] for name in given.state if name.endswith("weight")]
    biases = [given.state[name] for name in given.state if name.endswith("bias")]
    found, activations = {}, [given.x]
    for k, (w, b, f) in enumerate(zip(weights, biases, setting.activations, strict=True), 1):
        found[f"z{k}"] = activations[-1] @ w.T + b
        activations.append(F[f][0](found[f"z{k}"]))
        if f != "none":
            found[f"a{k}"] = activations[-1]
    output, last = activations[-1], len(weights)
    if setting.loss == "CrossEntropyLoss":
        p = np.exp(output) / np.exp(output).sum(axis=1, keepdims=True)
        hit = np.eye(output.shape[1])[given.y]
        found["C"], d_a = -np.log((p * hit).sum(axis=1)).mean(), (p - hit) / m
    else:
        scale = {"QuadraticLoss": 0.5, "MSELoss": 1 / output.shape[1]}[setting.loss]
        found["C"] = scale * ((output - given.y) ** 2).sum() / m
        d_a = 2 * scale * (output - given.y) / m
    rate = setting.learning_rate or 0.0
    for k in range(last, 0, -1):
        delta = d_a * F[setting.activations[k - 1]][1](found[f"z{k}"])
        found |= {f"delta{k}": delta, f"dW{k}": delta.T @ activations[k - 1]}
        found[f"db{k}"] = delta.sum(axis=0)
        d_a = delta @ weights[k - 1]
        found[f"W{k}_new"] = weights[k - 1] - rate * found[f"dW{k}"]
        found[f"b{k}_new"] = biases[k - 1] - rate * found[f"db{k}"]
    return found


def answers(made, digits, values=None):
    """Everything that is asked for as text, rounded to so many significant digits."""
    found = by_hand(made) if values is None else values
    written = {}
    for task in made.tasks:
        array = np.asarray(found[task.name])
        for index in task.indices:
            written[task.label(index)] = f"{array[index] if array.ndim else array:.{digits}g}"
    return written
