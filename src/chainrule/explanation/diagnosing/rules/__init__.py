"""The rules: one file for each family, one function for each disease."""

from chainrule.explanation.diagnosing.rules import data as data
from chainrule.explanation.diagnosing.rules import figures as figures
from chainrule.explanation.diagnosing.rules import gradients as gradients
from chainrule.explanation.diagnosing.rules import losses as losses
from chainrule.explanation.diagnosing.rules import outputs as outputs
from chainrule.explanation.diagnosing.rules import rates as rates
from chainrule.explanation.diagnosing.rules import scales as scales
from chainrule.explanation.diagnosing.rules import strengths as strengths
from chainrule.explanation.diagnosing.rules import targets as targets
from chainrule.explanation.diagnosing.rules import training as training
from chainrule.explanation.diagnosing.rules import units as units
