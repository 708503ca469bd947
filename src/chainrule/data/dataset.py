"""A loaded data set: inputs, targets, and what they mean."""

from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import DTypeLike, NDArray

from chainrule.base.constant import make_constant
from chainrule.base.errors import ConfigurationError, DataError, TargetError
from chainrule.base.random import permutation
from chainrule.data.encoding import TableEncoding


@dataclass(frozen=True, eq=False)
class Dataset:
    """Examples with their targets: one row each.

    What the loaders return is read-only: ``data.x / 255`` is another array.

    Attributes
    ----------
    name
        What it is called.
    x
        Inputs, float (n, features).
    y
        Classes, int64 (n,) counted from 0; or numbers to predict, float (n, outputs). The second
        axis is there even for one output, so that it has the shape of a network's output.
    feature_names
        One for each column of x, or none.
    class_names
        One for each class; none for regression.
    description, source
        What it is, and where it comes from.
    image_shape
        (channels, height, width) if the rows of x are images.
    test
        The part that its publisher holds back, if there is one.
    encoding
        How the columns of a table became x and y, if it was read from a table.
    """

    name: str
    x: NDArray[Any]
    y: NDArray[Any]
    feature_names: tuple[str, ...] = ()
    class_names: tuple[str, ...] = ()
    description: str = ""
    source: str = ""
    image_shape: tuple[int, ...] = ()
    test: "Dataset | None" = None
    encoding: TableEncoding | None = None

    def __post_init__(self) -> None:
        if self.x.ndim < 2:
            raise DataError(
                f"{self.name}: x has the shape {self.x.shape}, one number for each example",
                advice="Give it a second axis, of features: x[:, None]",
            )
        if len(self.x) != len(self.y):
            raise DataError(f"{self.name}: x has {len(self.x)} examples and y has {len(self.y)}")
        if self.feature_names and len(self.feature_names) != self.x.shape[1]:
            raise DataError(
                f"{self.name}: x has {self.x.shape[1]} columns and "
                f"{len(self.feature_names)} feature names"
            )

    def __len__(self) -> int:
        return len(self.x)

    def __repr__(self) -> str:
        x, y = (f"{a.dtype}[{', '.join(map(str, a.shape))}]" for a in (self.x, self.y))
        parts = [f"{len(self)} examples", f"x {x}", f"y {y}"]
        if self.class_names:
            parts.append(f"{len(self.class_names)} classes ({_shortened(self.class_names)})")
        if self.test is not None:
            parts.append(f"{len(self.test)} more in test")
        return f"<{self.name}: {', '.join(parts)}>"

    @property
    def task(self) -> Literal["classification", "regression"]:
        """Whether y holds classes or numbers."""
        return "classification" if np.issubdtype(self.y.dtype, np.integer) else "regression"

    def images(self) -> NDArray[Any]:
        """Return x as images, (n, channels, height, width): a view, with no copy.

        Raises
        ------
        DataError
            If its rows are not images.
        """
        if not self.image_shape:
            raise DataError(f"{self.name} holds no images: x is {self.x.shape}")
        return self.x.reshape(len(self), *self.image_shape)

    def one_hot(self, dtype: DTypeLike | None = None) -> NDArray[Any]:
        """Return the classes as rows of zeros with a one: (n, classes).

        Parameters
        ----------
        dtype
            The element type; that of x if left out.

        Raises
        ------
        TargetError
            If y holds numbers to predict, not classes.
        """
        if self.task == "regression":
            raise TargetError(
                f"{self.name} is for regression: y is {self.y.dtype}, not classes",
                advice="Use y as it is",
            )
        classes = len(self.class_names) or int(self.y.max(initial=-1)) + 1
        rows = np.zeros((len(self), classes), self.x.dtype if dtype is None else dtype)
        rows[np.arange(len(self)), self.y] = 1
        return rows

    def rows(self, indices: NDArray[np.integer[Any]] | slice) -> "Dataset":
        """Return the data set of some rows, in the order given."""
        x, y = self.x[indices], self.y[indices]
        for part, whole in ((x, self.x), (y, self.y)):
            part.flags.writeable &= whole.flags.writeable
        return replace(self, x=x, y=y)

    def read_only(self) -> "Dataset":
        """Let nobody write in x and y any more, nor in what they are views of; return itself.

        `fit` then reads them where they are, if it computes in their dtypes, and takes no copy.
        """
        for part in (self, *([] if self.test is None else [self.test])):
            make_constant(part.x)
            make_constant(part.y)
        return self

    def split(
        self, fraction: float = 0.2, seed: int = 0, *, stratified: bool = False
    ) -> tuple["Dataset", "Dataset"]:
        """Split the examples at random into a part to train on and a part that is held out.

        Parameters
        ----------
        fraction
            The share that is held out, 0 < fraction < 1, rounded to whole examples.
        seed
            The same seed gives the same split on every machine. 0 <= seed < 2**64.
        stratified
            Hold out this share of every class, as nearly as whole examples allow.

        Returns
        -------
        train, held_out : Dataset
            Each example is in one of them. Both are in random order.

        Raises
        ------
        ConfigurationError
            If the fraction is out of range.
        DataError
            If one of the parts would be empty.
        TargetError
            If a stratified split is asked for, and there are no classes.
        """
        if not 0 < fraction < 1:
            raise ConfigurationError(
                f"The fraction to hold out is between 0 and 1, not {fraction!r}",
                advice="fraction=0.2 holds out one example in five",
            )
        held_out = round(len(self) * fraction)
        if held_out in (0, len(self)):
            empty = "held-out" if held_out == 0 else "training"
            raise DataError(
                f"Holding out {fraction} of the {len(self)} examples of {self.name} "
                f"leaves the {empty} part empty"
            )
        order = permutation(len(self), seed, 0, "split")
        if stratified:
            is_held_out = self._stratified(order, fraction, held_out)
        else:
            is_held_out = np.arange(len(self)) < held_out
        return (
            self.rows(order[~is_held_out]),
            replace(self.rows(order[is_held_out]), test=None),
        )

    def train_and_test(
        self, fraction: float = 0.2, seed: int = 0, *, stratified: bool = False
    ) -> tuple["Dataset", "Dataset"]:
        """Return the publisher's own two parts if there are any, and else those of `split`."""
        if self.test is not None:
            return replace(self, test=None), self.test
        return self.split(fraction, seed, stratified=stratified)

    def _stratified(
        self, order: NDArray[np.int64], fraction: float, held_out: int
    ) -> NDArray[np.bool_]:
        """Return which places of `order` are held out: the first few of every class."""
        if self.task == "regression":
            raise TargetError(
                f"{self.name} is for regression: there are no classes to stratify by",
                advice="Leave out stratified=True",
            )
        classes, class_of = np.unique(self.y[order], return_inverse=True)
        exact = np.bincount(class_of) * fraction
        quota = np.floor(exact).astype(np.int64)
        # Largest remainder: what rounding down left over goes where it was cut most.
        most_cut_first = np.argsort(quota - exact, kind="stable")
        quota[most_cut_first[: held_out - int(quota.sum())]] += 1
        is_held_out = np.zeros(len(order), np.bool_)
        for index in range(len(classes)):
            is_held_out[np.flatnonzero(class_of == index)[: quota[index]]] = True
        return is_held_out


def _shortened(names: tuple[str, ...]) -> str:
    return ", ".join(names if len(names) <= 4 else (*names[:2], "…", names[-1]))
