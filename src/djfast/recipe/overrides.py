"""Values that replace those of a recipe: `--set process.3.min_len=20`, dotted options, arguments of `djfast.run`."""

from __future__ import annotations

from collections.abc import Mapping as MappingOf
from collections.abc import Sequence as ListOf
from typing import Any

from djfast.errors import RecipeError
from djfast.recipe.document import Mapping, Node, Scalar, Sequence, read_document
from djfast.recipe.keys import KEYS
from djfast.records import NamedTuple
from djfast.reserved import STREAM
from djfast.spelling import did_you_mean

_BOOLEANS = ("true", "false", "yes", "no", "on", "off")  # after an option of a boolean; anything else is an argument of its own
_MANY_VALUES = "custom_operator_paths"  # the option that takes more than one value


class Override(NamedTuple):
    """One value that replaces that of the recipe."""

    path: tuple[str, ...]
    text: str  # YAML
    label: str  # how it was given, for messages


def parse_set(text: str) -> Override:
    """Read the argument of `--set`.

    Raises
    ------
    RecipeError
        If it is not `path=value`.
    """
    path, equals, value = text.partition("=")
    path = path.strip()
    label = f"--set {path[:200]}"
    if not equals or not path or "" in path.split("."):
        raise RecipeError(f"--set takes path=value, such as np=4 or process.3.min_len=20, got {text[:200]!r}")
    return Override(_path(path), value, label)


def split_flags(arguments: ListOf[str], known: MappingOf[str, bool]) -> tuple[list[str], list[str]]:
    """Tell a command's own arguments from Data-Juicer's options, in whatever order they come.

    Parameters
    ----------
    known : Mapping
        The command's own options; true for those that take a value.

    Returns
    -------
    own : list of str
        For the command's parser.
    flags : list of str
        For `parse_flags`, each value joined to its option.
    """
    own: list[str] = []
    flags: list[str] = []
    rest = list(reversed(arguments))
    while rest:
        argument = rest.pop()
        if argument == "--":
            own += [argument, *reversed(rest)]
            break
        name, equals, _ = argument.partition("=")
        if name in known or not argument.startswith("--"):
            own.append(argument)
            if known.get(name) and not equals and rest:
                own.append(rest.pop())
        else:
            flags.append(argument if equals else _with_value(argument, rest))
    return own, flags


def _with_value(option: str, rest: list[str]) -> str:
    """Join an option and its value, which is taken from the end of `rest`: what follows, the next argument first."""
    name = _path(option[2:])[0]
    key = KEYS.get(name)
    if key is not None and key.type == "bool":
        return f"{option}={rest.pop() if rest and rest[-1].lower() in _BOOLEANS else 'true'}"
    values: list[str] = []
    while rest and not rest[-1].startswith("--"):
        if values and (name != _MANY_VALUES or rest[-1].endswith((".yaml", ".yml", ".json"))):
            break
        values.append(rest.pop())
    if not values:
        raise RecipeError(f"{option[:200]} takes a value")
    return f"{option}={values[0] if len(values) == 1 else '[' + ', '.join(values) + ']'}"


def parse_flags(arguments: ListOf[str]) -> list[Override]:
    """Read Data-Juicer's dotted options: `--np 4`, `--np=4`, `--text_length_filter.min_len 20`, `--debug`.

    Raises
    ------
    RecipeError
        For something that is no option, or an option without a value.
    """
    found: list[Override] = []
    rest = list(reversed(arguments))
    while rest:
        argument = rest.pop()
        if not argument.startswith("--") or argument == "--":
            raise RecipeError(f"an option starts with --, got {argument[:200]!r}")
        name, _, value = (argument if "=" in argument else _with_value(argument, rest))[2:].partition("=")
        found.append(Override(_path(name), value, f"--{name[:200]}"))
    return found


def apply_overrides(tree: Mapping, overrides: ListOf[Override]) -> list[str]:
    """Put the values into the tree and return what went wrong."""
    problems = []
    for override in overrides:
        try:
            _apply(tree, override)
        except RecipeError as error:
            problems.append(str(error))
    return problems


def _path(name: str) -> tuple[str, ...]:
    """Split a name at its dots: it begins with a global key, written with hyphens too, or with the name of an OP."""
    first, *rest = name.split(".")
    key = first.replace("-", "_")
    is_global = not rest or key in KEYS or any(known.startswith(f"{key}.") for known in KEYS)
    return (key, *rest) if is_global else ("process", first, *rest)


def _apply(tree: Mapping, override: Override) -> None:
    value = _value_node(override)
    if override.path[0] == "process" and len(override.path) > 1:
        _apply_to_process(tree, override, value)
        return
    parent: Node = tree
    for part in override.path[:-1]:
        if isinstance(parent, Sequence):
            parent = parent.items[_index(part, len(parent.items), override, "the list")]
        elif isinstance(parent, Mapping):
            if not isinstance(parent.entries.get(part), Mapping | Sequence):
                parent.entries[part] = Mapping(override.label, {})
            parent = parent.entries[part]
    last = override.path[-1]
    if isinstance(parent, Sequence):
        parent.items[_index(last, len(parent.items), override, "the list")] = value
    elif isinstance(parent, Mapping):
        parent.entries[last] = value


def _apply_to_process(tree: Mapping, override: Override, value: Node) -> None:
    process = tree.entries.get("process")
    items = process.items if isinstance(process, Sequence) else []
    target, *parameter = override.path[1:]
    if target.isdecimal():
        chosen = [_index(target, len(items), override, "process")]
    else:
        names = [op_name(item) or "" for item in items]
        chosen = [index for index, name in enumerate(names) if name == target] or _by_former_name(names, target)
        if not chosen:
            hint = did_you_mean(target, set(names) - {""})
            raise RecipeError(f"{override.label}: process has no such OP{hint}, got {target!r}")
    if not parameter:
        example = ".".join(override.path)
        raise RecipeError(f"{override.label}: needs a parameter after the OP, such as {example}.min_len")
    for index in chosen:
        items[index] = _with_parameter(items[index], parameter, override, value)


def _by_former_name(names: ListOf[str], target: str) -> list[int]:
    """Return the places of an OP that the recipe or the override calls by a name that it had."""
    from djfast.former_names import OPS

    return [index for index, name in enumerate(names) if OPS.get(name, name) == OPS.get(target, target)]


def _with_parameter(item: Node, parameter: list[str], override: Override, value: Node) -> Node:
    """Return the item of process with one more parameter; anchors may share the old one, so it is left alone."""
    name = op_name(item)
    if name is None:
        return item  # not an OP; the check of the recipe says so
    given = item.entries[name] if isinstance(item, Mapping) else None
    return Mapping(item.where, {name: _set_in(given, parameter, override, value, item.where)})


def _set_in(node: Node | None, path: list[str], override: Override, value: Node, where: str) -> Node:
    if not path:
        return value
    entries = dict(node.entries) if isinstance(node, Mapping) else {}
    entries[path[0]] = _set_in(entries.get(path[0]), path[1:], override, value, override.label)
    return Mapping(node.where if isinstance(node, Mapping) else where, entries)


def op_name(item: Any) -> str | None:
    """Name of the OP in an item of process, or None if the item does not name one."""
    if isinstance(item, Scalar):
        return item.text
    if isinstance(item, Mapping) and len(item.entries) == 1:
        return next(iter(item.entries))
    return None


def _value_node(override: Override) -> Node:
    """Read the value as YAML; one that is no YAML but plain text is that text."""
    if not override.text.strip():
        return Scalar(override.label, "")
    if override.text.split()[0] == STREAM:  # which YAML takes for the first entry of a list
        return Scalar(override.label, override.text.strip(), is_plain=False)
    try:
        return read_document(override.text, override.label, line_numbers=False)
    except RecipeError:
        if override.text.lstrip()[0] in "[{\"'":
            raise
        return Scalar(override.label, override.text, is_plain=False)


def _index(text: str, count: int, override: Override, what: str) -> int:
    if not text.isdecimal() or len(text) > 9 or int(text) >= count:
        entries = {0: "no entries", 1: "1 entry (index 0)"}.get(count, f"{count} entries (indices 0 to {count - 1})")
        raise RecipeError(f"{override.label}: {what}.{text[:100]} does not exist: {what} has {entries}, got {text[:100]!r}")
    return int(text)
