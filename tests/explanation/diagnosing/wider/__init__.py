"""Set-ups that widened the doctor's practice: seen by whoever works on its rules.

They have the form of the first exam (`setups`), and were written by people who had not read the
rules; unlike the exams that are held out, what is missed or warned of here is mended.
"""

from tests.explanation.diagnosing.setups.case import broken_of, healthy_of
from tests.explanation.diagnosing.wider import (  # noqa: F401  each writes down its set-ups
    askew,
    benches,
    costs,
    coursework,
    desks,
    faults,
    images,
    layers,
    lessons,
    missettings,
    notebooks,
    oddities,
    papers,
    questions,
    seminars,
    sequences,
    slips,
    tables,
    trainings,
    values,
)

WIDER_BROKEN, WIDER_HEALTHY = broken_of("wider"), healthy_of("wider")
