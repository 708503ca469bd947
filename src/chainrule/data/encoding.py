"""How the columns of a table become numbers: kept beside a model, so new tables are read alike."""

from dataclasses import dataclass

from chainrule.base.errors import FileFormatError


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table.

    Attributes
    ----------
    name
        As in the table's header.
    categories
        The texts it may hold, sorted: a feature then becomes one input for each of them, a target
        one class. None: it holds numbers.
    """

    name: str
    categories: tuple[str, ...] = ()

    @property
    def input_names(self) -> tuple[str, ...]:
        """The names of the inputs that this feature becomes."""
        if not self.categories:
            return (self.name,)
        return tuple(f"{self.name}={category}" for category in self.categories)


@dataclass(frozen=True, slots=True)
class TableEncoding:
    """Which columns are read, in which order, and what their texts mean.

    Attributes
    ----------
    features
        The columns that become x.
    target
        The column that becomes y.
    """

    features: tuple[Column, ...]
    target: Column

    @property
    def input_names(self) -> tuple[str, ...]:
        """The names of the columns of x."""
        return tuple(name for column in self.features for name in column.input_names)

    def to_json(self) -> bytes:
        """Return it as JSON."""
        import msgspec

        return msgspec.json.encode(self)

    @classmethod
    def from_json(cls, text: bytes | str, *, where: str = "The table encoding") -> "TableEncoding":
        """Return what `to_json` wrote.

        Raises
        ------
        FileFormatError
            If the text is something else. The message names `where` it came from.
        """
        import msgspec

        try:
            return msgspec.json.decode(text, type=cls)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise FileFormatError(f"{where} is malformed: {error}") from None
