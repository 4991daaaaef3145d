"""YAML text into a tree that knows where each value stands, safe against hostile documents."""

from __future__ import annotations

import os
import re
from typing import Any, NoReturn

from djfast.errors import RecipeError
from djfast.recipe.interpolation import REFERENCE
from djfast.records import NamedTuple

MAX_BYTES = 2**20
MAX_DEPTH = 64
MAX_NUMBER = 256  # characters; what is longer is a text
MAX_NODES = 100_000  # after every alias is replaced by what it stands for

_YAML = "tag:yaml.org,2002:"
_SCALAR_TAGS = frozenset(_YAML + kind for kind in ("str", "int", "float", "bool", "null"))
_COLLECTION_TAGS = frozenset(_YAML + kind for kind in ("map", "seq"))
# YAML 1.1 wants a dot and a signed exponent; nobody who writes 1e3 means a text.
_FLOAT = r"[-+]?(?:\d+\.?\d*|\.\d+)[eE][-+]?\d+"
_ESCAPE = re.compile(r'"[^"]*\\[xuU]?[0-9a-fA-F]*.?$')  # up to where one in double quotes is wrong


class Scalar(NamedTuple):
    """A single value, still as its text: what it means is decided when it is read."""

    where: str
    text: str
    is_plain: bool = True  # not quoted: numbers, booleans and null are recognised
    tag: str | None = None


class Sequence(NamedTuple):
    """A list."""

    where: str
    items: list[Any]


class Mapping(NamedTuple):
    """A mapping of texts to nodes; the place of a node in it is that of its key."""

    where: str
    entries: dict[str, Any]


class Given(NamedTuple):
    """A value that came from Python and not from a text."""

    where: str
    value: Any


Node = Scalar | Sequence | Mapping | Given


class _Counted(NamedTuple):
    """A node with the number of nodes that it unfolds to, and how many levels of collections lie below it."""

    node: Node
    size: int
    height: int = 0


def read_document(text: str, source: str, *, line_numbers: bool = True) -> Node:
    """Read one YAML document; JSON is YAML.

    Parameters
    ----------
    text : str
        The document.
    source : str
        Name of the document in messages.
    line_numbers : bool, optional
        Whether places are ``source:line``, or just the source for documents of one line.

    Raises
    ------
    RecipeError
        If it is not valid YAML, is empty, has keys twice or tags of its own, or is too large, too deep or unfolds to
        too many nodes.
    """
    return _Reader(text, source, line_numbers=line_numbers).read()


def _remedy(text: str, mark: Any) -> str | None:
    """Say what to do about what stands at a mark, if that is one of the usual slips."""
    lines = text.splitlines()
    line = lines[mark.line] if mark.line < len(lines) else ""
    if _ESCAPE.search(line[: mark.column + 1]):
        return r"a \ in double quotes begins an escape; put the value in single quotes, or write \\"
    sign = line[mark.column : mark.column + 1]
    if sign == "\t":
        return "a tab; indent with spaces"
    begun = re.search(r"(?:^|: |- )([*&])[^ ]*$", line[: mark.column])  # names of anchors are read before they are wrong
    sign = begun[1] if begun else sign
    if sign in ("-", "@", "`", "%", "*", "&"):
        example = ": '-'" if line[mark.column :].strip() == "-" else ""
        return f"a value cannot begin with {sign}; put it in quotes{example}"
    return "a value cannot hold a colon and a space; put it in quotes" if sign == ":" and line.count(": ") > 1 else None


class _Reader:
    def __init__(self, text: str, source: str, *, line_numbers: bool) -> None:
        self.text = text
        self.source = source
        self.line_numbers = line_numbers
        self.anchors: dict[str, _Counted | None] = {}  # None while the anchored node is still open
        self.events: Any = None
        self.yaml: Any = None

    def read(self) -> Node:
        import yaml

        self.yaml = yaml
        if len(self.text.encode("utf-8", "surrogatepass")) > MAX_BYTES:
            raise RecipeError(f"{self.source}: a recipe must not be larger than {MAX_BYTES} bytes")
        # The parser hands out events one by one and keeps its own stack, so depth is checked before any recursion.
        self.events = yaml.parse(_hidden(self.text), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
        try:
            next(self.events)  # start of the stream
            event = next(self.events)
            if isinstance(event, yaml.StreamEndEvent):
                raise RecipeError(f"{self.source}: is empty")
            root = self.node(next(self.events), 0).node
            next(self.events)  # end of the document
            if not isinstance(extra := next(self.events), yaml.StreamEndEvent):
                self.fail(extra, "there must be one document only")
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            place = f"{self.source}:{mark.line + 1}" if mark and self.line_numbers else self.source
            remedy = _remedy(self.text, mark) if mark else None
            raise RecipeError(f"{place}: not valid YAML: {remedy or error.problem or error.context}") from None
        except yaml.YAMLError as error:
            # Characters that YAML does not allow.
            raise RecipeError(f"{self.source}: not valid YAML: {str(error).splitlines()[0]}") from None
        return root

    def where(self, event: Any) -> str:
        return f"{self.source}:{event.start_mark.line + 1}" if self.line_numbers else self.source

    def fail(self, event: Any, problem: str) -> NoReturn:
        raise RecipeError(f"{self.where(event)}: {problem}")

    def node(self, event: Any, depth: int) -> _Counted:
        yaml = self.yaml
        if isinstance(event, yaml.AliasEvent):
            return self.alias(event, depth)
        self.check_depth(event, depth)
        if event.anchor is not None:
            self.anchors[event.anchor] = None
        if isinstance(event, yaml.ScalarEvent):
            counted = _Counted(self.scalar(event), 1)
        elif isinstance(event, yaml.SequenceStartEvent):
            counted = self.sequence(event, depth)
        else:
            counted = self.mapping(event, depth)
        if event.anchor is not None:
            self.anchors[event.anchor] = counted
        return counted

    def check_depth(self, event: Any, depth: int) -> None:
        if depth > MAX_DEPTH:
            self.fail(event, f"values are nested deeper than {MAX_DEPTH} levels")

    def check_size(self, event: Any, size: int) -> int:
        if size > MAX_NODES:
            self.fail(event, f"the document unfolds to more than {MAX_NODES} values")
        return size

    def alias(self, event: Any, depth: int) -> _Counted:
        if event.anchor not in self.anchors:
            self.fail(event, f"no anchor of this name, got {event.anchor!r}")
        counted = self.anchors[event.anchor]
        if counted is None:
            self.fail(event, f"the anchor {event.anchor!r} contains itself")
        self.check_depth(event, depth + counted.height)
        return counted

    def scalar(self, event: Any) -> Scalar:
        tag = event.tag
        if tag is not None and tag != "!" and tag not in _SCALAR_TAGS:
            self.fail(event, f"tags other than those of plain YAML are not allowed, got {tag!r}")
        is_plain = tag is None and event.implicit[0]
        return Scalar(self.where(event), event.value.translate(_SHOWN), is_plain, None if tag == "!" else tag)

    def collection_tag(self, event: Any) -> None:
        if event.tag is not None and event.tag != "!" and event.tag not in _COLLECTION_TAGS:
            self.fail(event, f"tags other than those of plain YAML are not allowed, got {event.tag!r}")

    def sequence(self, event: Any, depth: int) -> _Counted:
        self.collection_tag(event)
        items = []
        size, height = 1, 0
        while not isinstance(each := next(self.events), self.yaml.SequenceEndEvent):
            item = self.node(each, depth + 1)
            items.append(item.node._replace(where=self.where(each)))
            size = self.check_size(each, size + item.size)
            height = max(height, item.height + 1)
        return _Counted(Sequence(self.where(event), items), size, height)

    def mapping(self, event: Any, depth: int) -> _Counted:
        self.collection_tag(event)
        entries: dict[str, Any] = {}
        merged: list[Mapping] = []
        size, height = 1, 0
        while not isinstance(each := next(self.events), self.yaml.MappingEndEvent):
            key = self.node(each, depth + 1).node
            if not isinstance(key, Scalar):
                self.fail(each, "keys must be strings")
            value = self.node(next(self.events), depth + 1)
            size = self.check_size(each, size + 1 + value.size)
            height = max(height, value.height + 1)
            if key.is_plain and key.text == "<<":
                merged += self.merged(each, value.node)
            elif key.text in entries:
                self.fail(each, f"the key is there twice, got {key.text!r}")
            else:
                entries[key.text] = value.node._replace(where=self.where(each))
        for base in merged:
            for name, node in base.entries.items():
                entries.setdefault(name, node)
        return _Counted(Mapping(self.where(event), entries), size, height)

    def merged(self, event: Any, node: Node) -> list[Mapping]:
        listed = node.items if isinstance(node, Sequence) else [node]
        bases = [base for base in listed if isinstance(base, Mapping)]
        if len(bases) < len(listed):
            self.fail(event, "<< takes a mapping or a list of mappings")
        return bases


# Between braces YAML takes those of `${NAME:-5}`, and commas in it, for its own. Until it is read, other characters, which no
# text should hold, stand in their place.
_HIDDEN = {ord(mark): 0xFDD0 + number for number, mark in enumerate("{},")}
_SHOWN = {hidden: mark for mark, hidden in _HIDDEN.items()}


def _hidden(text: str) -> str:
    if "${" not in text or any(chr(hidden) in text for hidden in _SHOWN):
        return text
    return re.sub(REFERENCE, lambda match: match[0].translate(_HIDDEN), text)


def node_of(value: Any, where: str) -> Node:
    """Return the node of a Python value; mappings and lists are taken apart."""
    import collections.abc

    if isinstance(value, collections.abc.Mapping):
        return Mapping(where, {str(name): node_of(each, where) for name, each in value.items()})
    if isinstance(value, list | tuple):
        return Sequence(where, [node_of(each, where) for each in value])
    if isinstance(value, os.PathLike):
        value = os.fspath(value)
    if isinstance(value, str):
        return Scalar(where, value, is_plain=False)
    return Given(where, value)


def plain_value(text: str) -> Any:
    """Return what an unquoted YAML scalar means: null, a boolean, a number, or its text.

    Raises
    ------
    ValueError
        If it looks like a number but is none.
    """
    import yaml

    if len(text) > MAX_NUMBER:
        return text
    if "e" in text.lower() and text[0] in "+-.0123456789" and re.fullmatch(_FLOAT, text, re.ASCII):
        return float(text)
    loader = _resolver(yaml)
    tag = loader.resolve(yaml.ScalarNode, text, (True, False))
    return typed_value(text, tag) if tag in _SCALAR_TAGS else text  # dates stay texts


def typed_value(text: str, tag: str) -> Any:
    """Return the value of a scalar with a tag of plain YAML.

    Raises
    ------
    ValueError
        If the text does not fit the tag.
    """
    import yaml

    kind = tag.removeprefix(_YAML)
    if kind == "str":
        return text
    if len(text) > MAX_NUMBER:
        raise ValueError(f"a {kind} of {len(text)} characters")
    loader = _resolver(yaml)
    node = yaml.ScalarNode(tag, text)
    try:
        return getattr(loader, f"construct_yaml_{kind}")(node)
    except KeyError:
        raise ValueError(f"{text!r} is no {kind}") from None


_RESOLVER: list[Any] = []


def _resolver(yaml: Any) -> Any:
    """Return a loader that is only asked what scalars mean."""
    if not _RESOLVER:
        _RESOLVER.append(yaml.SafeLoader(""))
    return _RESOLVER[0]
