"""How far a network trained here drifts from one trained with torch: ``pytest -s`` prints it."""

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn, optim
from tests.optim.grids import TYPICAL, made
from tests.optim.test_parity import double, no_bfloat16, torch_optimizers
from tests.sampling import one_in

__all__ = ["double", "no_bfloat16"]  # fixtures

UPDATES = 200
RNG = np.random.default_rng(5)
X = RNG.normal(size=(32, 8))
Y = np.sin(X @ RNG.normal(size=(8, 3)))

# Updates by the sign of a gradient jump where rounding turns it: they drift as far as they step.
BY_SIGN = {"Rprop", "Lion"}
# Each update contracts or stretches the differences of the one before; 1e-12 is what single updates
# are promised, and 1000 of it is allowed to have grown in 200.
ALLOWED = 1e-9


def networks(torch):
    net = nn.Sequential(nn.Linear(8, 10), nn.Tanh(), nn.Linear(10, 3)).initialize(3)
    net.astype("float64")
    theirs = torch.nn.Sequential(
        torch.nn.Linear(8, 10), torch.nn.Tanh(), torch.nn.Linear(10, 3)
    ).double()
    theirs.load_state_dict({k: torch.tensor(v) for k, v in net.state_dict().items()})
    return net, theirs


@pytest.mark.usefixtures("double", "no_bfloat16")
@pytest.mark.parametrize("name", one_in(3, sorted(optim.OPTIMIZERS)))
def test_a_network_stays_close_to_torchs(torch, name):
    net, theirs = networks(torch)
    named = dict(theirs.named_parameters())
    ours = made(name, net.state_dict(), **TYPICAL[name])
    references = torch_optimizers(torch, name, named, **TYPICAL[name])
    x, y = torch.tensor(X), torch.tensor(Y)
    for _ in range(UPDATES):
        theirs.zero_grad()
        torch.nn.functional.mse_loss(theirs(x), y).backward()
        for reference in references:
            reference.step()
        gradients = cr.grad(lambda net: (net(X) - Y).square().mean())(net)
        ours.update(net, gradients)
    drift = max(
        float(np.abs(a - named[path].detach().numpy()).max())
        for path, a in net.state_dict().items()
    )
    print(f"\n{name:<9} drifts by {drift:.1e} in {UPDATES} updates", end="")
    assert np.isfinite(drift)
    if name not in BY_SIGN:
        assert drift < ALLOWED
