"""Metrics: what is read off outputs beside targets, averaged like the loss or of all at once.

A metric is asked for by its name, or as an object, which may have arguments: ``metrics=["accuracy",
"top_3_accuracy", "f1_macro"]`` is ``metrics=[nn.metrics.Accuracy(), nn.metrics.TopKAccuracy(3),
nn.metrics.F1("macro")]``. It is added as one registered class, in the file of its family.

Values are scikit-learn's. In evaluation they are computed in float64; a training step sums in the
network's dtype. An output that is NaN makes every metric NaN, where scikit-learn raises; what has
no meaning is refused, where scikit-learn warns. 0/0 in precision, recall and F1 is 0.

A metric of your own is registered, so that `fit` and files can name it::

    import numpy as np
    import chainrule as cr
    from chainrule import nn


    # The mean of a number of each example: (loss, all targets) to (output, target) to [B].
    @nn.METRICS.register("within_a_tenth")
    def within_a_tenth(loss, targets):
        limit = 0.1 * abs(targets).max()
        return lambda output, target: (abs(output - target) < limit).all(axis=1)


    # What is read off the mean of several numbers of each example, [B, ...]: a Mean. This is the
    # slope of a line through 0 that fits outputs beside targets.
    @nn.METRICS.register("slope")
    def slope(loss, targets):
        def products(output, target):
            return cr.stack([output[:, 0] * target[:, 0], target[:, 0].square()], axis=1)

        return nn.metrics.Mean(products, lambda mean: mean[0] / mean[1])


    # What needs all examples at once: an OfAll. It is of arrays, and there is a value wherever a
    # whole set is evaluated.
    @nn.METRICS.register("median_error")
    def median_error(loss, targets):
        def median(outputs, targets, weights):
            return np.median(abs(outputs - targets))

        return nn.metrics.OfAll(median)

A subclass of `Definition` says besides whether it is a share, shown in percent, and whether more of
it is better, which `EarlyStopping` asks.
"""

from chainrule.base.front_door import show_definitions
from chainrule.nn.metrics import classification, precision, ranking, regression
from chainrule.nn.metrics.classification import *
from chainrule.nn.metrics.precision import *
from chainrule.nn.metrics.ranking import *
from chainrule.nn.metrics.regression import *

show_definitions(globals(), classification, precision, ranking, regression)

from chainrule.nn.metrics.confusion import count_confusions as count_confusions
from chainrule.nn.metrics.metric import METRICS as METRICS
from chainrule.nn.metrics.metric import Definition as Definition
from chainrule.nn.metrics.metric import Mean as Mean
from chainrule.nn.metrics.metric import Metric as Metric
from chainrule.nn.metrics.metric import OfAll as OfAll
from chainrule.nn.metrics.registry import counted_targets as counted_targets
from chainrule.nn.metrics.registry import is_share as is_share
from chainrule.nn.metrics.registry import larger_is_better as larger_is_better
from chainrule.nn.metrics.registry import make_metric as make_metric
from chainrule.nn.metrics.registry import metric_names as metric_names
