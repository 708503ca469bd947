"""Data: bundled sets, generated ones, images, tables -> arrays.

May import `base` alone.  Heavy libraries (polars, tarfile) are imported by the function that needs
them; `worked`, which needs msgspec throughout, is imported by its own name.

A newcomer adds here
    a data set          one loader decorated by `catalogue.dataset`: bundled in `bundled.py`,
                        generated in `generators.py`, read from files in a module of its own;
    a worked example    one TOML file in `examples/`;
    a file format       a module of its own, beside `idx.py`.
"""

from chainrule.data import bundled, generators, mnist  # noqa: F401  each registers its data sets
from chainrule.data.catalogue import DATASETS as DATASETS
from chainrule.data.catalogue import Availability as Availability
from chainrule.data.catalogue import available as available
from chainrule.data.catalogue import load as load
from chainrule.data.dataset import Dataset as Dataset
from chainrule.data.encoding import TableEncoding as TableEncoding
from chainrule.data.finite import validate_finite as validate_finite
from chainrule.data.idx import read_idx as read_idx
from chainrule.data.tables import read_encoded as read_encoded
from chainrule.data.tables import read_features as read_features
from chainrule.data.tables import read_table as read_table
