"""The doctor's exam: broken set-ups with the name of what is wrong, and healthy ones.

They were written down before the doctor had a rule, from what is known to go wrong and from what
looks as if it went wrong and does not. **They are not changed to suit a rule.** Whoever has to
change one (because its sentence is untrue, or it takes too long) says the reason in the commit.

- A set-up is a function, registered by `broken(...)` or `healthy(...)`, with one sentence about
  it. Calling it builds network and data anew; the same numbers each time.
- It passes if the doctor, asked when `looked_at` says, finds `finding`. Of a healthy one, and of a
  broken one after `mended=True`, it must find nothing but what `also` names.
- What `also` names is true of the set-up too: what the fault leads to, or a plain fact.
- One that `fit` refuses or stops (`refused`) is asked about before training, or afterwards with
  the network as the error leaves it.
- `MNIST` has five diseases planted in one training, for whoever has its files (`CHAINRULE_DATA`).
  The doctor has to name each within the first epoch, and nothing where it is mended.
- Near misses are marked in their sentence by "and that is fine".
"""

from tests.explanation.diagnosing.setups import (  # noqa: F401  each writes down its set-ups
    architectures,
    data,
    initialization,
    losses,
    mnist,
    rates,
    targets,
    training,
)
from tests.explanation.diagnosing.setups.case import AFTER as AFTER
from tests.explanation.diagnosing.setups.case import BEFORE as BEFORE
from tests.explanation.diagnosing.setups.case import VOCABULARY as VOCABULARY
from tests.explanation.diagnosing.setups.case import Case as Case
from tests.explanation.diagnosing.setups.case import Setup as Setup
from tests.explanation.diagnosing.setups.case import broken_of, healthy_of

BROKEN, HEALTHY = broken_of("first"), healthy_of("first")
MNIST = broken_of("mnist")
