"""Read a recipe, check all of it, and make its OPs. Nothing here looks at data."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Callable, Iterable, Iterator
from collections.abc import Mapping as MappingType
from typing import TYPE_CHECKING, Any

from djfast import catalog
from djfast.access import VARIABLE, Access
from djfast.declare import MAX_FUSED_DEPTH, MISSING, Filter, Fused, Op, OpSpec, Param
from djfast.errors import RecipeError
from djfast.plan.rules import RULES
from djfast.recipe.document import (
    MAX_BYTES,
    Given,
    Mapping,
    Node,
    Scalar,
    Sequence,
    node_of,
    plain_value,
    read_document,
    typed_value,
)
from djfast.recipe.interpolation import AllowedVariables, escaped, interpolate, refers
from djfast.recipe.keys import GROUPS, KEYS, NO_EFFECT, USED, Key
from djfast.recipe.outputs import (
    default_work_dir,
    export_arguments,
    export_credentials,
    export_format,
    fill_paths,
    is_remote,
    result_path,
    stream_opened,
)
from djfast.recipe.overrides import Override, apply_overrides, op_name, parse_flags, parse_set
from djfast.recipe.sources import Sources, home_opened, sources_of, without_credentials
from djfast.records import NamedTuple
from djfast.redaction import Resolved, Secret, is_secret, redacted, safe
from djfast.reserved import STDIN
from djfast.spelling import did_you_mean

if TYPE_CHECKING:
    from djfast.recipe.validators import Validator

MAX_PROBLEMS = 20
_ENOUGH_PROBLEMS = 50  # a document full of mistakes is not read to its end
_LONGEST_SHOWN = 200
_SERVER_VARIABLES = ("OPENAI_BASE_URL", "OPENAI_API_URL", "DASHSCOPE_BASE_URL")


class Recipe(NamedTuple):
    """A checked recipe."""

    source: str | None  # the file, or None for a recipe from Python
    settings: MappingType[str, Any]  # every used key, plus what follows from them: inputs, result_path, text_key...
    ops: tuple[Op, ...]
    op_lines: tuple[int | None, ...]
    notices: tuple[str, ...]  # what is accepted without effect, and what may surprise
    text: MappingType[str, Any]  # the resolved recipe without secrets; can be written as JSON and loaded again

    def can_travel(self) -> bool:
        """Tell whether another process gets the same OPs from the text, in which secrets are left out."""
        try:
            return load_recipe(self.text).ops == self.ops
        except RecipeError:
            return False


def load_recipe(
    source: str | os.PathLike[str] | MappingType[str, Any],
    overrides: Iterable[str | Override] = (),
    *,
    environment: MappingType[str, str] | None = None,
    runs_code: bool = True,
) -> Recipe:
    """Load a recipe from a YAML or JSON file, or from a mapping, and check it completely.

    Parameters
    ----------
    source : path or mapping
        The recipe.
    overrides : iterable of str or Override, optional
        Values that replace those of the recipe: `np=4`, `process.3.min_len=20`, `text_length_filter.min_len=20` or
        parsed ones.
    environment : mapping, optional
        Variables for `${NAME}`; by default those of the process that ``DJFAST_RECIPE_ENV`` allows.
    runs_code : bool, optional
        Whether files of `custom_operator_paths` are run. Else a recipe that has some is read without its OPs.

    Raises
    ------
    RecipeError
        With all problems found, one a line, at most 20.
    """
    parsed: list[Override] = []
    problems: list[str] = []
    for override in overrides:
        try:
            if isinstance(override, Override):
                parsed.append(override)
            elif override.startswith("--"):
                parsed += parse_flags([override])
            else:
                parsed.append(parse_set(override))
        except RecipeError as error:
            problems.append(str(error))
    name, tree = _tree(source)
    checker = _Checker(name or "recipe", environment, problems)
    problems += apply_overrides(tree, parsed)
    settings = checker.settings(tree)
    if runs_code or not settings["custom_operator_paths"]:
        checker.load_custom(settings)
        ops, lines = checker.ops(tree.entries.get("process"))
    else:
        ops, lines = (), ()
    if problems:
        raise RecipeError(_listed(problems))
    if settings["add_suffix"] is None:
        settings["add_suffix"] = any(op.spec.name == "suffix_filter" for op in ops)
    checker.remark_on_reused_stats(ops, lines)
    text = _canonical(settings, ops)
    return Recipe(name, settings, ops, lines, tuple(dict.fromkeys(checker.notices)), text)


def _tree(source: str | os.PathLike[str] | MappingType[str, Any]) -> tuple[str | None, Mapping]:
    """Return the name of the file and the recipe as a tree."""
    if isinstance(source, MappingType):
        tree = node_of(source, "recipe")
        assert isinstance(tree, Mapping)
        process = tree.entries.get("process")
        if isinstance(process, Sequence):
            tree.entries["process"] = Sequence(
                process.where, [node_of(_as_item(item), f"process.{index}") for index, item in enumerate(source["process"])]
            )
        return None, tree
    name = os.fspath(source)
    try:
        with open(home_opened(name), "rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise RecipeError(f"the recipe cannot be read: {error.strerror}, got {name!r}") from None
    if len(content) > MAX_BYTES:
        raise RecipeError(f"{name}: a recipe must not be larger than {MAX_BYTES} bytes")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise RecipeError(f"{name}:{line}: a recipe must be UTF-8, got byte 0x{content[error.start]:02x}") from None
    root = read_document(text, name)
    if not isinstance(root, Mapping):
        raise RecipeError(f"{root.where}: a recipe must be a mapping of keys to values")
    return name, root


def _as_item(item: Any) -> Any:
    """Return an item of `process` as a recipe has it; in Python it may be an OP."""
    if not isinstance(item, Op):
        return item
    given = {param.name: getattr(item, param.name) for param in item.spec.params if getattr(item, param.name) != param.default}
    return {item.spec.name: _json_value({**given, **item.others})}


class _Checker:
    """Reads values out of the tree and collects problems and notices instead of stopping."""

    def __init__(self, source: str, environment: MappingType[str, str] | None, problems: list[str]) -> None:
        self.source = source
        self.environment = os.environ if environment is None else environment
        self.allowed = AllowedVariables(self.environment) if environment is None else environment
        self.problems = problems
        self.notices: list[str] = []
        self.knows_all_ops = True  # False where files with OPs were not run
        self.is_strict = True  # whether a parameter that an OP does not have is an error

    def has_enough(self) -> bool:
        """Whether so much is wrong that more need not be looked for."""
        return len(self.problems) >= _ENOUGH_PROBLEMS

    # Values.

    def value(self, node: Node) -> Any:
        """Python value of a node; a scalar that cannot be read is reported and becomes None."""
        if isinstance(node, Mapping):
            return {name: self.value(each) for name, each in node.entries.items()}
        if isinstance(node, Sequence):
            return [self.value(each) for each in node.items]
        if isinstance(node, Given):
            return node.value
        try:
            # What the command line says was written by who runs the recipe.
            text = interpolate(node.text, self.environment if node.where.startswith("--") else self.allowed)
            if node.is_plain:
                value = plain_value(text)
                if isinstance(value, int) and not isinstance(value, bool) and re.fullmatch(r"[-+]?0[0-7]+", text):
                    self.notices.append(f"{node.where}: YAML reads {text} as a number to the base 8: it is {value}")
                return value
            return text if node.tag is None else typed_value(text, node.tag)
        except RecipeError as error:
            self.problems.append(f"{node.where}: {error}")
        except ValueError:
            self.problems.append(f"{node.where}: looks like a number but is none, got {node.text[:_LONGEST_SHOWN]!r}")
        return None

    def checked(self, subject: Key | Param, node: Node, prefix: str = "") -> tuple[bool, Any]:
        """Check the value of a node; return whether it is right, and the value in its declared type."""
        before = len(self.problems)
        value = self.value(node)
        if len(self.problems) > before:
            return False, None
        try:
            right = subject.check(value)
            if _is_storable(right):
                return True, right
            message = f"{subject.name} must be a number that 64 bits can hold (null sets no limit), got {value!r}"
        except RecipeError as error:
            message = str(error)
        message = _without_secrets(message, subject, value)
        takes_text = "str" in subject.type.split(" | ")
        if takes_text and isinstance(node, Scalar) and node.where.startswith("--") and isinstance(value, int | float):
            # On a command line nobody quotes: `--project_name 123` means the text.
            try:
                return True, subject.check(node.text)
            except RecipeError:
                pass
        self.problems.append(f"{node.where}: {prefix}{message}")
        return False, None

    # Global keys.

    def settings(self, tree: Mapping) -> dict[str, Any]:
        """Check the global keys and return the used ones, with defaults filled in."""
        given = self._flat(tree)
        settings = {name: key.default for name, key in KEYS.items() if key.treatment == USED and name != "process"}
        for name, node in given.items():
            if name == "process":
                continue
            if self.has_enough():
                break
            key = KEYS.get(name)
            if key is None:
                self.problems.append(f"{node.where}: {self._unknown_key(name)}")
                continue
            right, value = self.checked(key, node)
            if not right:
                continue
            if key.treatment == USED:
                settings[name] = value
            elif key.treatment == NO_EFFECT and value != key.default:
                self.notices.append(f"{node.where}: {name} has no effect: {key.reason}")
        self.is_strict = settings["strict_preflight"]
        self._derive(settings, given)
        return settings

    def _flat(self, tree: Mapping) -> dict[str, Node]:
        """Global keys by their full name: nested groups are opened, hyphens become underscores."""
        flat: dict[str, Node] = {}
        for name, node in tree.entries.items():
            full = name.replace("-", "_")
            if full in GROUPS and isinstance(node, Mapping):
                for inner, value in node.entries.items():
                    self._add(flat, f"{full}.{inner}", value)
            elif full in GROUPS:
                self.problems.append(f"{node.where}: {full} must be a mapping")
            else:
                self._add(flat, full if full in KEYS else name, node)
        return flat

    def _add(self, flat: dict[str, Node], name: str, node: Node) -> None:
        if name in flat:
            self.problems.append(f"{node.where}: the key is there twice, got {name!r}")
        flat[name] = node

    def _unknown_key(self, name: str) -> str:
        if name in catalog.names():
            return f"{name} is an OP, it belongs into the list under process"
        return f"no such key{did_you_mean(name, KEYS)}, got {name[:_LONGEST_SHOWN]!r}"

    def _derive(self, settings: dict[str, Any], given: dict[str, Node]) -> None:
        """Fill in what follows from several keys, and check keys against each other."""

        def where(name: str) -> str:
            return given[name].where if name in given else self.source

        limit = settings["max_errors"]
        if isinstance(limit, float) and limit > 1:
            self.problems.append(
                f"{where('max_errors')}: max_errors must be a share from 0.0 to 1.0, an integer, auto or null, got {limit!r}"
            )
        keys = settings["text_keys"]
        settings["text_keys"] = [keys] if isinstance(keys, str) else keys
        if not settings["text_keys"] or "" in settings["text_keys"]:
            self.problems.append(f"{where('text_keys')}: text_keys must name at least one field, got {keys!r}")
        else:
            settings["text_key"] = settings["text_keys"][0]
        suffixes = settings["suffixes"] or []
        listed = [suffixes] if isinstance(suffixes, str) else suffixes
        settings["suffixes"] = ["." + suffix.lower().lstrip(".") for suffix in listed]
        # order_filters was a key of its own before there were rules.
        settings["without_rules"] = [
            rule.name for rule in RULES if not (settings[f"rules.{rule.name}"] and settings.get(rule.name, True))
        ]
        settings["sources"] = Sources(())
        try:
            fill_paths(settings, self.notices)
        except RecipeError as error:
            self.problems.append(f"{where(str(error).partition(' ')[0])}: {error}")
        for name in ("export_path", "work_dir"):
            try:
                settings[name] = settings[name] and home_opened(settings[name])
            except RecipeError as error:
                self.problems.append(f"{where(name)}: {name}: {error}")
        settings["export_path"] = stream_opened(settings["export_path"])

        def sources(settings: dict[str, Any], notices: list[str]) -> Sources:
            return sources_of(settings, self.environment, notices)

        def checks(settings: dict[str, Any], notices: list[str]) -> tuple[Validator, ...]:
            del notices
            if not settings["validators"]:
                return ()
            if any(STDIN in source.paths for source in settings["sources"].listed):
                raise RecipeError("validators read rows before the run, but standard input can be read only once")
            from djfast.recipe.validators import validators_of

            return validators_of(settings["validators"])

        def format_of_result(settings: dict[str, Any], notices: list[str]) -> str:
            executor = given.get("executor_type")
            is_for_ray = executor is not None and str(self.value(executor)).startswith("ray")
            if is_for_ray and not is_remote(settings["export_path"]):  # Ray writes into a folder of this name
                settings["export_path"] = settings["export_path"].rstrip("/") or settings["export_path"]
            return export_format(settings, notices, is_for_ray=is_for_ray)

        derivations: tuple[tuple[str, Callable[[dict[str, Any], list[str]], Any]], ...] = (
            ("sources", sources),
            ("checks", checks),
            ("export_format", format_of_result),
            ("export_arguments", export_arguments),
            ("export_credentials", export_credentials),
            ("local_roots", _local_roots),
        )
        for name, derive in derivations:
            try:
                settings[name] = derive(settings, self.notices)
            except RecipeError as error:
                key = re.split(r"[ .:]", str(error), maxsplit=1)[0]
                self.problems.append(f"{where(key)}: {error}")
        settings["inputs"] = [path for source in settings["sources"].listed for path in source.paths]
        if settings["work_dir"] is None:
            settings["work_dir"] = default_work_dir(settings["export_path"])
        settings["result_path"] = result_path(settings)

    # OPs.

    def load_custom(self, settings: dict[str, Any]) -> None:
        """Run the files with OPs that the recipe names, before its own OPs are looked up."""
        paths = settings["custom_operator_paths"] or []
        if not paths:
            return
        if self.problems:
            self.knows_all_ops = False
            return
        from djfast.custom.files import load_files

        try:
            load_files([home_opened(path) for path in ([paths] if isinstance(paths, str) else paths)])
        except RecipeError as error:
            self.problems.append(f"{self.source}: {error}")
            self.knows_all_ops = False

    def ops(self, process: Node | None) -> tuple[tuple[Op, ...], tuple[int | None, ...]]:
        """Make the OPs."""
        if process is None or (isinstance(process, Scalar) and process.is_plain and process.text in ("", "null", "~")):
            process = Sequence(self.source, [])
        if not isinstance(process, Sequence):
            example = "`- text_length_filter: {min_len: 5}`"
            self.problems.append(f"{process.where}: process must be a list of OPs, such as {example}")
            return (), ()
        if not process.items:
            self.notices.append(f"{process.where}: process is empty, so rows are only copied")
        self.problems += _variables_for_strangers(process)
        made = [each for item in process.items if not self.has_enough() for each in self._ops_of(item, 0)]
        return tuple(op for op, _ in made), tuple(line for _, line in made)

    def _ops_of(self, item: Node, depth: int) -> list[tuple[Op, int | None]]:
        """Make the OP of an item with its line, or those that a fused OP stands for."""
        name = op_name(item)
        if name is None:
            self.problems.append(f"{item.where}: {_not_an_op(item)}")
            return []
        try:
            spec = catalog.find(name)
        except RecipeError as error:
            if self.knows_all_ops:
                self.problems.append(f"{item.where}: {error}")
            return []
        if spec.name != name:
            self.notices.append(f"{item.where}: {name} is the former name of {spec.name}")
        parameters = item.entries[name] if isinstance(item, Mapping) else _null(item.where)
        if isinstance(parameters, Mapping):
            given = parameters.entries
        elif self._is_null(parameters):
            given = {}
        else:
            self.problems.append(f"{parameters.where}: {name}: parameters must be a mapping of names to values")
            return []
        if issubclass(spec.cls, Fused):
            return self._members(spec, item.where, given, depth)
        op = self._made(spec, item.where, given)
        return [] if op is None else [(op, _line(item.where))]

    def _members(self, spec: OpSpec, where: str, given: MappingType[str, Node], depth: int) -> list[tuple[Op, int | None]]:
        assert issubclass(spec.cls, Fused)
        if depth == MAX_FUSED_DEPTH:
            self.problems.append(f"{where}: {catalog.fused_too_deep(spec)}")
            return []
        lists = spec.cls.member_lists
        for param in spec.params:
            if param.name in given and param.common and not param.no_effect:
                notice = f"{param.name} has no effect: the OPs it lists have their own"
                self.notices.append(f"{given[param.name].where}: {spec.name}: {notice}")
        self._made(spec, where, {name: node for name, node in given.items() if name not in lists})
        made: list[tuple[Op, int | None]] = []
        for name in lists:
            listed = given.get(name, _null(where))
            if isinstance(listed, Sequence):
                made += [each for item in listed.items if not self.has_enough() for each in self._ops_of(item, depth + 1)]
            elif not self._is_null(listed):
                self.problems.append(f"{listed.where}: {spec.name}: {name} must be a list of OPs or null")
        return made

    def _is_null(self, node: Node) -> bool:
        return isinstance(node, Scalar | Given) and self.value(node) is None

    def _made(self, spec: OpSpec, where: str, given: MappingType[str, Node]) -> Op | None:
        known = {param.name: param for param in spec.params}
        before = len(self.problems)
        if not spec.cls.takes_others and given.keys() - known.keys():
            from djfast.former_names import todays_parameters

            written = given
            given, remarks = todays_parameters(spec.name, written, known)
            self.notices += [f"{written[name].where}: {spec.name}: {remark}" for name, remark in remarks.items()]
        values = {}
        for name, node in given.items():
            if self.has_enough():
                break
            param = known.get(name)
            if param is None and spec.cls.takes_others:
                values[name] = self.value(node)
                hint = did_you_mean(name, known)
                self.notices.append(f"{node.where}: {spec.name}: {name} is handed over as one of its **kwargs{hint}")
                continue
            if param is None and self.is_strict:
                self.problems.append(f"{node.where}: {catalog.no_such_parameter(spec, name[:_LONGEST_SHOWN])}")
            elif param is None:
                reason = f"{spec.name} has no such parameter{did_you_mean(name, known)}"
                self.notices.append(f"{node.where}: {name[:_LONGEST_SHOWN]} has no effect: {reason}")
            if param is None:
                continue
            right, value = self.checked(param, node, f"{spec.name}: ")
            if not right:
                continue
            values[name] = value
            if param.no_effect and value != param.default:
                self.notices.append(f"{node.where}: {spec.name}: {name} has no effect: {param.no_effect}")
        for param in spec.params:
            if param.default is MISSING and param.name not in given:
                self.problems.append(f"{where}: {spec.name}: {param.name} must be given")
        if len(self.problems) > before:
            return None
        if spec.cls.notice:
            self.notices.append(f"{where}: {spec.name}: {spec.cls.notice}")
        try:
            return spec.cls(**values)
        except RecipeError as error:
            self.problems.append(f"{where}: {error}")
            return None

    def remark_on_reused_stats(self, ops: tuple[Op, ...], lines: tuple[int | None, ...]) -> None:
        """Say where a stat is taken over from an earlier OP although it was computed otherwise.

        Stats have one name whatever the parameters, and one that a row already has is not computed again.
        """
        computed: dict[str, tuple[Any, int, str]] = {}
        mappers = 0
        for number, (op, line) in enumerate(zip(ops, lines)):
            place = f"{self.source}:{line}" if line else f"process.{number}"
            mappers += op.kind == "mapper"
            if not isinstance(op, Filter):
                continue
            for stat, expression in op.stats().items():
                this = (expression, op.text_key), mappers, place
                earlier = computed.setdefault(stat, this)
                if earlier is not this and earlier[:2] != this[:2]:
                    change = "the text may have changed" if earlier[0] == this[0] else "its parameters differ"
                    self.notices.append(
                        f"{place}: {op.spec.name}: {stat} is taken over from {earlier[2]}, although {change} since"
                    )


def _variables_for_strangers(process: Node) -> list[str]:
    """Return what is wrong with OPs that read environment variables beside a server that the recipe names.

    Whatever an OP writes into rows, another one may send.
    """
    scalars = list(_scalars(process))
    server = next((host for each in scalars if (host := _own_server(each)) is not None), None)
    if server is None:
        return []
    return [
        f"{each.where}: environment variables cannot be used by OPs of a recipe that names a server, {server}; if you trust it, "
        f"set DJFAST_LLM_HOSTS={server}, got {each.text[:_LONGEST_SHOWN]!r}"
        for each in scalars
        if refers(each.text) and not each.where.startswith("--")
    ]


def _scalars(node: Node) -> Iterator[Scalar]:
    if isinstance(node, Scalar):
        yield node
    elif isinstance(node, Mapping | Sequence):
        for each in node.entries.values() if isinstance(node, Mapping) else node.items:
            yield from _scalars(each)


def _own_server(node: Scalar) -> str | None:
    """Return the host that a text of a recipe names, unless who runs the recipe trusts it."""
    match = re.match(r"\s*(?:https?|wss?)://(?:[^/?#\s]*@)?([^/?#\s]+)\S*\s*$", node.text, re.IGNORECASE)
    if match is None or node.where.startswith("--") or refers(match[1]):
        return None
    host = match[1].lower()
    trusted = os.environ.get("DJFAST_LLM_HOSTS", "").replace(",", " ").lower().split()
    own = [os.environ.get(name, "").partition("://")[2].partition("/")[0].rpartition("@")[2] for name in _SERVER_VARIABLES]
    return None if host in (*trusted, *map(str.lower, own)) else host


def _local_roots(settings: dict[str, Any], notices: list[str]) -> list[str]:
    """Return the entries of ``local_roots``; whoever forbids code of strangers does not let them open this machine either."""
    del notices
    given = settings["local_roots"]
    listed = [given] if isinstance(given, str) else list(given or [])
    if listed:
        from djfast.functions.user_code import check_allowed

        try:
            check_allowed("local_roots")
        except RecipeError as error:
            raise RecipeError(f"{error}; set {VARIABLE} in the environment instead") from None
        try:
            Access.of(listed, ())
        except ValueError as error:
            raise RecipeError(f"local_roots must hold folders and addresses with http or https: {error}") from None
    return listed


def _null(where: str) -> Node:
    return Scalar(where, "null")


def _not_an_op(item: Node) -> str:
    if isinstance(item, Mapping) and item.entries:
        names = ", ".join(repr(name[:50]) for name in list(item.entries)[:5])
        return f"an item of process is one OP, with its parameters indented below its name, got the keys {names}"
    return "an item of process must be the name of an OP, or a mapping of the name to its parameters"


def _line(where: str) -> int | None:
    tail = where.rpartition(":")[2]
    return int(tail) if tail.isdecimal() else None


def _is_storable(value: Any) -> bool:
    """Whether every number in it is finite and fits into native code."""
    if isinstance(value, list):
        return all(_is_storable(each) for each in value)
    if isinstance(value, float):
        return math.isfinite(value)
    return not isinstance(value, int) or -(2**63) <= value < 2**63


def _without_secrets(message: str, subject: Key | Param, value: Any) -> str:
    """Return the message with its last part, the given value, cut to a readable length and free of secrets."""
    start, separator, _ = message.partition(", got ")
    if not separator:
        return message
    if is_secret(subject.name) or (isinstance(subject, Key) and subject.is_secret):
        return f"{start}, got a value that is not shown"
    shown = repr(redacted(value))
    return f"{start}, got {shown if len(shown) <= _LONGEST_SHOWN else shown[:_LONGEST_SHOWN] + '...'}"


def _listed(problems: list[str]) -> str:
    """One problem a line, in the order of the recipe."""
    unique = list(dict.fromkeys(problems))

    def order(problem: str) -> tuple[int, int]:
        place = re.match(r"\S*?:(\d+): ", problem)
        return (1, int(place[1])) if place else (0, 0)

    listed = sorted(unique, key=order)[:MAX_PROBLEMS]
    if len(unique) > MAX_PROBLEMS:
        listed.append(f"... and at least {len(unique) - MAX_PROBLEMS} more")
    return "\n".join(listed)


def _canonical(settings: MappingType[str, Any], ops: tuple[Op, ...]) -> dict[str, Any]:
    """Return the recipe with everything resolved, as JSON can hold it."""
    used = {name: value for name, value in settings.items() if name in KEYS and not KEYS[name].is_secret}
    used["dataset"] = without_credentials(used["dataset"])
    process = [{op.spec.name: {name: _json_value(each) for name, each in op.unshown().items()} or None} for op in ops]
    written: dict[str, Any] = {}
    for name, value in used.items():
        group, _, inner = name.rpartition(".")
        (written.setdefault(group, {}) if group else written)[inner] = _json_value(value)
    return {**written, "process": process}


def _json_value(value: Any) -> Any:
    if isinstance(value, Secret):
        return "***"
    if isinstance(value, dict):
        return {name: "***" if is_secret(str(name)) and each else _json_value(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_json_value(each) for each in value]
    if isinstance(value, Resolved):
        return value.written
    return escaped(safe(value)) if isinstance(value, str) else value
