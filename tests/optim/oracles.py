"""What our optimisers are compared with: torch's, and NumPy where torch has none."""

import numpy as np


class Lion:
    """Lion as its paper writes it (arXiv 2302.06675, algorithm 2), in NumPy.

    It reads and writes torch's parameters in place, so that it can stand where torch's own would.
    """

    def __init__(self, params, lr=1e-4, betas=(0.9, 0.99), weight_decay=0.0, maximize=False):
        self.param_groups = [{"params": list(params), "lr": lr}]
        self.betas, self.weight_decay, self.sign = betas, weight_decay, -1 if maximize else 1
        self.state = {}

    def step(self):
        eta, (beta1, beta2) = self.param_groups[0]["lr"], self.betas
        for parameter in self.param_groups[0]["params"]:
            theta = parameter.detach().numpy()
            g = self.sign * parameter.grad.numpy()
            m = self.state.setdefault(parameter, {"exp_avg": np.zeros_like(theta)})["exp_avg"]
            c = beta1 * m + (1 - beta1) * g
            theta -= (eta * (np.sign(c) + self.weight_decay * theta)).astype(theta.dtype)
            self.state[parameter]["exp_avg"] = (beta2 * m + (1 - beta2) * g).astype(theta.dtype)


OURS_ALONE = {"Lion": Lion}


def reference_class(torch, name):
    """The class of another hand, with torch's interface."""
    return OURS_ALONE.get(name) or getattr(torch.optim, name)
