"""Where code defines a part, where it makes use of it, and where it lists it.

A part is *defined* where it is registered or declared. It is *used* where something is made of it:
called, subclassed, asked for by its name in a call, asked about with isinstance, annotated, looked
for in a graph (``node.op == "add"``). It is *listed* where its name stands for it among other
things: in a list, tuple, set or dict, on a side of a comparison, in a case of a match, under
another name, or again at a front door (``X as X``). A definition in one file and a listing in a
second are two places to edit when a part is added or renamed. Comments and docstrings are neither.
"""

import ast

COLLECTIONS = (ast.List, ast.Tuple, ast.Set, ast.Dict)
DEFINED_BY = ("composite", "dataset", "elementwise", "mistake", "primitive", "register")


def definitions(tree):
    """The names that a file gives to parts."""
    for node, parents in with_parents(tree):
        match node:
            case ast.Call(func=function, args=[ast.Constant(value=str(name)), *_]):
                if called(function) in DEFINED_BY:
                    yield name
            case ast.Call(func=function, args=[ast.Name(), *_]) if called(function) in DEFINED_BY:
                # Several at once: the names are those that the loop runs over.
                loops = [loop for parent in parents for loop in getattr(parent, "generators", ())]
                yield from texts(loop.iter for loop in loops)
            case ast.Assign(
                targets=[ast.Name(id=constant)],
                value=ast.Call(args=[ast.Constant(value=str(name)), *_]),
            ) if constant == name.upper():
                yield name  # by a function of the file that declares several alike
            case ast.AnnAssign(target=ast.Name(id="name"), value=ast.Constant(value=str(name))):
                yield name  # a structural op's


def called(function):
    """The name of what a call calls."""
    return getattr(function, "attr", getattr(function, "id", None))


def texts(nodes):
    return (
        part.value
        for node in nodes
        for part in ast.walk(node)
        if isinstance(part, ast.Constant) and isinstance(part.value, str)
    )


def listings(tree, names):
    """(line, name) of each place where code lists one of these parts."""
    docstrings = set(_docstrings(tree))
    for node, parents in with_parents(tree):
        if node in docstrings:
            continue
        name = _named_by(node)
        if name in names and _is_listed(node, parents):
            yield node.lineno, name
        if isinstance(node, ast.ImportFrom):
            for alias in node.names:
                if alias.asname == alias.name and alias.name in names:
                    yield node.lineno, alias.name


def _named_by(node):
    """What an expression names: a string by its text, a name or attribute by its last part."""
    match node:
        case ast.Constant(value=str(text)):
            return text
        case ast.Name(id=name, ctx=ast.Load()) | ast.Attribute(attr=name) if name[:1].isupper():
            return name  # in lower case it is a variable, or Python's own function
    return None


def _is_listed(node, parents):
    parent, *above = parents
    match parent:
        case ast.Compare():
            return not _looks_in_a_graph(parent)
        case ast.MatchValue():
            return not any(isinstance(around, ast.MatchClass) for around in above)
        case ast.AnnAssign(annotation=annotation) if annotation is node:
            return False
        case ast.Assign() | ast.AnnAssign():
            return not isinstance(node, ast.Constant)  # a name for it, and not a text
        case ast.Dict():
            return not _is_configuration(parent, node)
        case _ if isinstance(parent, COLLECTIONS):
            return not (_is_annotation(above) or _is_an_argument(parent, above))
    return False


def _looks_in_a_graph(comparison):
    """``node.op == "add"``: a pattern is made of the ops it is looked for with."""
    sides = (comparison.left, *comparison.comparators)
    return any(getattr(side, "attr", getattr(side, "id", None)) == "op" for side in sides)


def _is_configuration(dictionary, value):
    """``{"name": "Adam"}``: the part is made from it."""
    keys = [
        key.value
        for key, held in zip(dictionary.keys, dictionary.values, strict=True)
        if held is value and isinstance(key, ast.Constant)
    ]
    return keys == ["name"]


def _is_annotation(above):
    """Whether a collection is part of a type, as in Literal["a", "b"] or tuple[A, B]."""
    return any(isinstance(parent, ast.Subscript) for parent in above)


def _is_an_argument(collection, above):
    """``metrics=["accuracy"]`` and ``isinstance(x, (A, B))``: parts that a call is given."""
    call = above[0].value if above and isinstance(above[0], ast.keyword) else None
    call = above[0] if above and isinstance(above[0], ast.Call) else call
    if isinstance(call, ast.Call) and called(call.func) in ("isinstance", "issubclass"):
        return True
    around = above[:3]
    is_given = any(isinstance(parent, ast.Call | ast.keyword) for parent in around)
    return is_given and len(getattr(collection, "elts", ())) == 1


def with_parents(tree):
    """Each node with the nodes around it, the nearest first."""
    stack = [(tree, ())]
    while stack:
        node, parents = stack.pop()
        yield node, parents
        stack += [(child, (node, *parents)) for child in ast.iter_child_nodes(node)]


def _docstrings(tree):
    """Texts that are statements by themselves: they say something and do nothing."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            yield node.value
