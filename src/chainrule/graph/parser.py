"""Read back what the printer writes."""

from __future__ import annotations

import re
from collections.abc import Callable

from chainrule.base.errors import ParseError
from chainrule.graph.node import Attributes, AttributeValue, Graph, Node, Output
from chainrule.graph.types import Axis, DType, TensorType

_STRING = r'"(?:[^"\\]|\\.)*"'
_TYPE = r"[a-z]+\d*\[[^\]]*\]"
_HEADER = re.compile(r"graph (?P<name>\S+?)\((?P<inputs>.*)\) -> (?P<results>.*)")
_NODE = re.compile(
    rf"(?P<name>\S+): (?P<type>{_TYPE}) = (?P<op>[^\s(]+)\((?P<operands>[^)]*)\)(?P<rest>.*)"
)
_ARGUMENT = re.compile(rf"(?P<name>\S+): (?P<type>{_TYPE})(?:, |$)")
_ALIAS = re.compile(r"alias (?P<alias>\S+) = (?P<name>\S+)")
_RETURN = re.compile(r"return(?: .*)?")
_KEY = re.compile(r"\s*(?P<key>\w+)=")
_SCOPE = re.compile(r"\s*@(?P<scope>\S+)")
_COMMENT = re.compile(r"\s*#.*")
_SCALAR = re.compile(rf"(?P<string>{_STRING})|(?P<word>[^\s,\[\]]+)")
_WORDS: dict[str, AttributeValue] = {"true": True, "false": False, "none": None}


def parse_graph(text: str) -> Graph:
    """Read a graph as `format_graph` prints it.

    Parameters
    ----------
    text : str

    Returns
    -------
    Graph
        Not verified; its source lines are empty.

    Raises
    ------
    ParseError
        With the number of the line that is wrong.
    """
    reader = _Reader(text.rstrip("\n").split("\n"))
    graph = reader.read_graph(reader.take_line())
    if reader.position < len(reader.lines):
        reader.fail("expected the end of the text", reader.take_line())
    return graph


class _Reader:
    def __init__(self, lines: list[str]) -> None:
        self.lines = lines
        self.position = 0

    def take_line(self) -> str:
        if self.position == len(self.lines):
            self.fail("expected a line 'return ...'", "the end of the text")
        self.position += 1
        return self.lines[self.position - 1].strip()

    def fail(self, expected: str, received: str) -> None:
        raise ParseError(f"{expected}; got {received!r}", where=f"line {self.position}")

    def match(self, pattern: re.Pattern[str], text: str, expected: str) -> re.Match[str]:
        found = pattern.match(text)
        if found is None:
            self.fail(expected, text)
        assert found is not None
        return found

    def read_graph(self, header_line: str) -> Graph:
        header = self.match(_HEADER, header_line, "expected 'graph name(inputs) -> types'")
        nodes: list[Node] = []
        positions: dict[str, int] = {}

        def append(name: str, node: Node) -> None:
            positions[name] = len(nodes)
            nodes.append(node)

        def locate(name: str) -> int:
            if name not in positions:
                self.fail("expected the name of an earlier value", name)
            return positions[name]

        for argument in self.read_arguments(header["inputs"]):
            kind = self.read_type(argument["type"])
            name = _canonical(argument["name"])
            append(argument["name"], Node("input", (), kind.shape, kind.dtype, name=name))
        aliases: list[tuple[str, str]] = []
        while not _RETURN.fullmatch(line := self.take_line()):
            if alias := _ALIAS.fullmatch(line):
                aliases.append((alias["alias"], alias["name"]))
            else:
                append(*self.read_node(line, locate))
        outputs = []
        for result in filter(None, line.removeprefix("return").strip().split(", ")):
            label, _, name = result.rpartition("=")
            outputs.append(Output(label or name, locate(name)))
        return Graph(header["name"], tuple(nodes), tuple(outputs), tuple(aliases))

    def read_arguments(self, text: str) -> list[re.Match[str]]:
        arguments = []
        offset = 0
        while offset < len(text):
            found = self.match(_ARGUMENT, text[offset:], "expected 'name: type, ...'")
            arguments.append(found)
            offset += found.end()
        return arguments

    def read_type(self, text: str) -> TensorType:
        try:
            return TensorType.parse(text)
        except ParseError as error:
            error.where = f"line {self.position}"
            raise

    def read_node(self, line: str, locate: Callable[[str], int]) -> tuple[str, Node]:
        found = self.match(_NODE, line, "expected 'name: type = op(operands) attributes'")
        kind = self.read_type(found["type"])
        operands = filter(None, found["operands"].split(", "))
        inputs = tuple(locate(operand) for operand in operands)
        attributes, scope = self.read_attributes(found["rest"])
        name = _canonical(found["name"])
        node = Node(found["op"], inputs, kind.shape, kind.dtype, attributes, name, scope)
        return found["name"], node

    def read_attributes(self, rest: str) -> tuple[Attributes, str]:
        attributes: dict[str, AttributeValue] = {}
        scope = ""
        while rest and not _COMMENT.fullmatch(rest):
            if found := _SCOPE.match(rest):
                scope, rest = found["scope"], rest[found.end() :]
                continue
            found = self.match(_KEY, rest, "expected 'attribute=value'")
            rest = rest[found.end() :]
            if rest.startswith("graph "):
                attributes[found["key"]] = self.read_graph(rest.removesuffix(" {"))
                rest = self.take_line().removeprefix("}")
            else:
                attributes[found["key"]], rest = self.read_value(rest)
        return Attributes(attributes), scope

    def read_value(self, text: str) -> tuple[AttributeValue, str]:
        if text.startswith("["):
            items: list[AttributeValue] = []
            text = text[1:]
            while not text.startswith("]"):
                item, text = self.read_value(text)
                items.append(item)
                text = text.removeprefix(",")
            return tuple(items), text[1:]
        found = self.match(_SCALAR, text, "expected a value")
        rest = text[found.end() :]
        if found["string"] is not None:
            return _unquote(found["string"]), rest
        return self.read_word(found["word"]), rest

    def read_word(self, word: str) -> AttributeValue:
        if word in _WORDS:
            return _WORDS[word]
        if word in DType._value2member_map_:
            return DType(word)
        if (axis := Axis.parse(word)) is not None:
            return axis
        for convert in (int, float):
            try:
                return convert(word)
            except ValueError:
                continue
        self.fail("expected a number, a string, a dtype or a list", word)
        return None


def _canonical(name: str) -> str | None:
    return None if name.startswith("%") else name


def _unquote(text: str) -> str:
    return re.sub(r"\\(.)", lambda m: "\n" if m[1] == "n" else m[1], text[1:-1])
