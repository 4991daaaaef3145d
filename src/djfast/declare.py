"""The language OPs are declared in, and the record a declaration becomes.

An OP is a class: its parameters are declared with `param`, its work is returned as expressions. Everything else that is
known about it (checks, schema, help, docs, tests) is read from `OpSpec`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any, ClassVar

from djfast.errors import RecipeError
from djfast.expr import Expr, call, col
from djfast.records import NamedTuple
from djfast.redaction import Resolved, Secret, guarded, shown

if TYPE_CHECKING:
    from typing_extensions import dataclass_transform
else:

    def dataclass_transform(**_hints: Any) -> Any:
        """Fallback for `typing.dataclass_transform` (3.11+); it only matters to type checkers."""
        return lambda cls: cls


MISSING: Any = object()


class Param(NamedTuple):
    """One parameter of an OP."""

    name: str
    type: str
    doc: str
    default: Any
    unit: str | None = None
    ge: float | None = None
    le: float | None = None
    choices: tuple[Any, ...] = ()
    no_effect: str | None = None  # why the parameter is accepted but changes nothing here
    refused: str | None = None  # why a value other than the default is an error
    common: bool = False  # every OP of the kind has it
    is_secret: bool = False  # never shown: not in messages, reports or plans
    words: tuple[str, ...] = ()  # that stand for a value of the declared type

    @property
    def type_words(self) -> str:
        """The declared type in the words of a recipe: ``list[str] | None`` is ``list of strings or null``."""
        members = [_SPOKEN[member] for member in self.type.split(" | ")]
        named = ["boolean" if each == _SPOKEN["bool"] else each.removeprefix("an ").removeprefix("a ") for each in members]
        return " or ".join([*named, *self.words])

    def check(self, value: Any) -> Any:
        """Return `value` in its declared type.

        Raises
        ------
        RecipeError
            If the type or range is wrong; the message starts with the parameter's name.
        """
        if self.refused and value != self.default:
            shown = "" if self.is_secret else f", got {value!r}"
            raise RecipeError(f"{self.name} cannot be used here: {self.refused}{shown}")
        value = _typed(self, value)
        for each in value if isinstance(value, list) else [value]:
            if isinstance(each, str) and "\0" in each and self.name.endswith(_PATHS):
                raise RecipeError(f"{self.name}: a path must not hold the character U+0000, got {each!r}")
            if isinstance(each, bool) or not isinstance(each, int | float):
                continue
            if self.ge is not None and not each >= self.ge:
                raise RecipeError(f"{self.name} must be >= {spoken_number(self.ge)}, got {each!r}")
            if self.le is not None and not each <= self.le:
                raise RecipeError(f"{self.name} must be <= {spoken_number(self.le)}, got {each!r}")
        if self.is_secret and isinstance(value, str):
            value = Secret(value)
        if isinstance(value, dict):
            value = guarded(value)
        if self.choices and value not in self.choices:
            raise RecipeError(f"{self.name} must be one of {spoken_choices(self.choices)}, got {value!r}")
        return value


_PATHS = ("path", "paths", "dir", "directory", "folder", "file", "roots")  # endings of parameters that name files
_KINDS = {"int": int, "float": float, "str": str, "bool": bool, "dict": dict, "list": list}


def _plain(value: str) -> Any:
    """Return the number, boolean or null that a text is; the text if it is none."""
    import json

    try:
        plain = json.loads(value)
    except (ValueError, RecursionError):
        return value
    return plain if isinstance(plain, int | float | None) else value


def _typed(param: Param, value: Any) -> Any:
    """Convert `value` to the first member of the declared union that fits."""
    if isinstance(value, Resolved):  # in quotes, what an environment variable says is a text also where a number is wanted
        value = _plain(value) if "str" not in param.type.split(" | ") else value
    if isinstance(value, str) and value in param.words:
        return str(value)
    for member in param.type.split(" | "):
        if member == "any":
            return value
        if member == "None":
            if value is None:
                return None
        elif member.startswith("list["):
            inner = _KINDS[member[5:-1]]
            if isinstance(value, list | tuple) and all(_is(inner, v) for v in value):
                return [_as(inner, v) for v in value]
        elif _is(_KINDS[member], value):
            return _as(_KINDS[member], value)
    # A mapping that is written wrongly may hold a key.
    hides = param.is_secret or (isinstance(value, str) and param.name == "model_params")
    shown = "a value that is not shown" if hides else repr(value)
    raise RecipeError(f"{param.name} must be {' or '.join([_spoken(param.type), *param.words])}, got {shown}")


def _is(kind: type, value: Any) -> bool:
    if kind is float:
        return isinstance(value, int | float) and not isinstance(value, bool)
    if kind is int:
        whole = isinstance(value, float) and value.is_integer()
        return (isinstance(value, int) and not isinstance(value, bool)) or whole
    return isinstance(value, kind)


def _as(kind: type, value: Any) -> Any:
    return int(value) if kind is int else value


_SPOKEN = {"int": "an integer", "float": "a number", "str": "a string", "bool": "true or false", "None": "null",
           "dict": "a mapping", "any": "any value", "list": "a list", "list[str]": "a list of strings",
           "list[int]": "a list of integers", "list[float]": "a list of numbers", "list[bool]": "a list of booleans",
           "list[dict]": "a list of mappings", "list[list]": "a list of lists"}  # fmt: skip


def spoken_choices(choices: Iterable[Any]) -> str:
    """Return the values that a parameter or a key allows, as a recipe writes them."""
    return ", ".join("null" if choice is None else str(choice) for choice in choices)


def spoken_number(number: float) -> str:
    """Return a limit as a recipe writes it: all digits, no exponent where there is no fraction."""
    return str(int(number)) if number == int(number) else str(number)


def _spoken(type_name: str) -> str:
    return " or ".join(_SPOKEN[member] for member in type_name.split(" | "))


class _Draft(NamedTuple):
    """A `param(...)` line before the class body gives it a name and a type."""

    doc: str
    default: Any
    facts: Mapping[str, Any]


def param(
    doc: str,
    *,
    default: Any = MISSING,
    unit: str | None = None,
    ge: float | None = None,
    le: float | None = None,
    choices: tuple[Any, ...] = (),
    no_effect: str | None = None,
    refused: str | None = None,
    is_secret: bool = False,
) -> Any:
    """Declare a parameter: its meaning (a full sentence), default, unit and limits.

    ``None`` as default means "no limit" or "not set"; a parameter without a default must be given.
    """
    facts = {"unit": unit, "ge": ge, "le": le, "choices": choices, "no_effect": no_effect, "refused": refused}
    facts["is_secret"] = is_secret
    return _Draft(doc, default, facts)


class Example(NamedTuple):
    """Rows in, rows out: shown in the docs and run as a test.

    `rows` are the input rows; `expect` the rows that leave the OP, with the stats and tags named in `expect` merged in. `says`
    are the answers of the language model, one after the other, for OPs that ask one.
    """

    rows: list[dict[str, Any]]
    params: dict[str, Any]
    expect: list[dict[str, Any]]
    says: tuple[str, ...] = ()


class OpSpec(NamedTuple):
    """Everything the CLI, the docs, the schema, the planner and the tests need to know about an OP."""

    name: str
    kind: str
    summary: str
    description: str
    params: tuple[Param, ...]
    examples: tuple[Example, ...]
    source: str | None
    cls: type[Op]

    @property
    def own_params(self) -> tuple[Param, ...]:
        """Parameters that are not common to all OPs."""
        return tuple(p for p in self.params if not p.common)


REGISTRY: dict[str, OpSpec] = {}

_ONE_QUEUE = "threads of one process take batches from one queue"
_NO_RAY = "djfast has one engine and no Ray"


@dataclass_transform(field_specifiers=(param,), frozen_default=True, kw_only_default=True)
class Op:
    """An operator with its parameters: immutable, comparable by value, made from a recipe's mapping."""

    kind: ClassVar[str]
    examples: ClassVar[tuple[Example, ...]] = ()
    source: ClassVar[str | None] = None
    notice: ClassVar[str | None] = None  # what a user of the OP is told with every recipe
    rewrites_tags: ClassVar[bool] = False  # whether what `rewrite` gives back may have new tags
    takes_others: ClassVar[bool] = False  # whether parameters of other names are kept, in `others`
    acts_outside: ClassVar[bool] = False  # whether it asks or changes what is outside of the run, so that nobody tries it
    spec: ClassVar[OpSpec]
    _params: ClassVar[tuple[Param, ...]] = ()

    text_key: str | None = param(
        "Field that holds the text; dots reach into nested fields. Null takes the recipe's text_keys.", default=None
    )
    skip_op_error: bool | None = param(
        "False stops the run at this OP's first bad row; null takes the recipe's value.", default=None
    )
    image_key: str | None = param("Field that holds the image paths.", default=None)
    audio_key: str | None = param("Field that holds the audio paths.", default=None)
    video_key: str | None = param("Field that holds the video paths.", default=None)
    image_bytes_key: str | None = param("Field that holds the image bytes.", default=None)
    system_key: str = param("Field of the system prompt.", default="system")
    instruction_key: str = param("Field of the instruction.", default="instruction")
    prompt_key: str = param("Field of the prompt.", default="prompt")
    query_key: str = param("Field of the query.", default="query")
    response_key: str = param("Field of the response.", default="response")
    history_key: str = param("Field of the dialogue history.", default="history")
    index_key: str | None = param(
        "Field that gets the number of each row, from 0, in the order in which rows reach this OP; all rows wait for it.",
        default=None,
    )
    work_dir: str | None = param("Folder for side files.", default=None, no_effect="the run's folder is used")
    accelerator: str | None = param(
        "Where the OP runs: with cuda it runs on the ranks that own a device, if the recipe sets device_ranks.",
        default=None,
        choices=(None, "cpu", "cuda"),
    )
    batch_size: int | None = param("Rows per call.", default=None, no_effect="batches are sized by bytes")
    num_proc: int | None = param("Workers.", default=None, no_effect=_ONE_QUEUE)
    cpu_required: float | None = param("CPUs per worker.", default=None, no_effect=_ONE_QUEUE)
    gpu_required: float | None = param("GPUs per worker.", default=None, no_effect=_ONE_QUEUE)
    mem_required: float | str | None = param("Memory per worker.", default=None, no_effect=_ONE_QUEUE)
    num_cpus: float | None = param("CPUs per worker.", default=None, no_effect=_ONE_QUEUE)
    num_gpus: float | None = param("GPUs per worker.", default=None, no_effect=_ONE_QUEUE)
    memory: float | str | None = param("Memory per worker.", default=None, no_effect=_ONE_QUEUE)
    turbo: bool = param("Skip error handling.", default=False, no_effect="error handling costs nothing here")
    auto_op_parallelism: bool = param("Size workers automatically.", default=True, no_effect=_ONE_QUEUE)
    batch_mode: bool | None = param("Batch mode.", default=None, no_effect="every OP works on batches")
    adaptive_batching: bool | None = param("Adapt batches.", default=None, no_effect="batches are sized by bytes")
    runtime_env: dict | None = param("Ray environment.", default=None, no_effect=_NO_RAY)  # type: ignore[type-arg]
    ray_execution_mode: str | None = param("Ray mode.", default=None, no_effect=_NO_RAY)
    input_columns: list[str] | None = param("Columns read.", default=None, no_effect="the planner reads them from the OP")
    output_columns: list[str] | None = param("Columns written.", default=None, no_effect="the planner reads them from the OP")

    def __init_subclass__(cls, name: str | None = None, *, is_listed: bool = True) -> None:
        """Collect the parameters; a class with a `name` is an OP, others are bases. OPs enter the registry if they are listed.

        Only what a kind itself declares is common: parameters of a base that a few OPs share are their own.
        """
        is_kind = "kind" in vars(cls)
        own = []
        for attribute, value in list(vars(cls).items()):
            if isinstance(value, _Draft):
                own.append(_finish(attribute, cls.__annotations__[attribute], value, common=is_kind))
                delattr(cls, attribute)
        cls._params = tuple(p for p in cls._params if p.name not in {o.name for o in own}) + tuple(own)
        if name is None:
            return
        doc = (cls.__doc__ or "").strip()
        summary, _, rest = doc.partition("\n")
        params = tuple(sorted(cls._params, key=lambda p: p.common))
        cls.spec = OpSpec(name, cls.kind, summary, _dedent(rest), params, cls.examples, cls.source, cls)
        if is_listed:
            REGISTRY[name] = cls.spec

    def __init__(self, **given: Any) -> None:
        """Check and keep the parameters.

        Raises
        ------
        RecipeError
            For an unknown or missing parameter or a wrong value.
        """
        for p in self.spec.params:
            if p.name in given:
                try:
                    value = p.check(given.pop(p.name))
                except RecipeError as error:
                    raise RecipeError(f"{self.spec.name}: {error}") from None
            elif p.default is MISSING:
                raise RecipeError(f"{self.spec.name}: {p.name} must be given")
            else:
                value = p.default
            self.__dict__[p.name] = value
        if given and not self.takes_others:
            unknown = ", ".join(repr(name) for name in given)
            raise RecipeError(f"{self.spec.name} has no parameter {unknown}")
        if given:
            self.__dict__["_others"] = guarded(given)
        self._check_bounds()
        self.validate()

    @property
    def others(self) -> Mapping[str, Any]:
        """Parameters that the OP does not declare, where it takes them (`takes_others`)."""
        others: Mapping[str, Any] = self.__dict__.get("_others", {})
        return others

    def _check_bounds(self) -> None:
        """Refuse a lower bound above its upper one: no value lies between them, so every row would go."""
        for name, low in self.__dict__.items():
            other = name.replace("min_", "max_", 1)
            high = self.__dict__.get(other) if name.startswith("min_") else None
            if _is_number(low) and _is_number(high) and low > high:
                raise RecipeError(f"{self.spec.name}: {name} must be <= {other}, got {name} {low!r} and {other} {high!r}")

    def validate(self) -> None:
        """Check parameters against each other; OPs override it and raise RecipeError."""

    def overwrites(self) -> bool:
        """Whether stats and tags, JSON then, are written also where the row, or an earlier OP, has them already."""
        return False

    def rewrite(self) -> Expr | None:
        """Return a function of the whole `row`, for OPs whose fields are known only when they run; None for all others.

        A mapper's function returns the row, a list of rows that take its place, or None, which drops it; a filter's returns
        the row, with its stats in it, and whether it is kept. Rows are copies that it may change. Such an OP reads and writes
        every row as a whole, so `assign` and its kin are the better choice where they can say what is done. A parameter
        `text_key` of the function is given the name of the field that holds the OP's text.
        """
        return None

    def run(self, data: Any) -> Any:
        """Run this OP on a data set, or on what `djfast.Dataset` takes; returns a data set."""
        dataset = _above("djfast.dataset").Dataset
        return (data if isinstance(data, dataset) else dataset(data)).process(self)

    def process(self, row: Mapping[str, Any]) -> Any:
        """Run this OP on one row: a mapper returns the row, or a list of rows if it makes other than one of it.

        Raises
        ------
        RecipeError
            If the OP compares rows with each other.
        RowError
            If the row would be rejected.
        """
        raise RecipeError(f"{self.spec.name}: a {self.kind} needs all rows; use Dataset.process, got one row")

    def __setattr__(self, name: str, value: Any) -> None:
        """Refuse: OPs are values."""
        raise AttributeError(f"{self.spec.name} is immutable")

    def __eq__(self, other: object) -> bool:
        """Compare by OP and parameters."""
        return type(other) is type(self) and other.__dict__ == self.__dict__

    def __hash__(self) -> int:
        """Hash of OP and parameters."""
        return hash((self.spec.name, repr(sorted(self.__dict__.items()))))

    def __repr__(self) -> str:
        """Return the call that makes this OP, without defaults."""
        given = (f"{k}={v!r}" for k, v in self.given().items())
        return f"{type(self).__name__}({', '.join(given)})"

    def given(self) -> dict[str, Any]:
        """Parameters that differ from their defaults, as they may be shown: secrets only by name."""
        return {name: shown(value) for name, value in self.unshown().items()}

    def unshown(self) -> dict[str, Any]:
        """Return the same with what variables of the environment stand for; only secrets are left out."""
        given = [(p, self.__dict__[p.name]) for p in self.spec.params if self.__dict__[p.name] != p.default]
        return {**{p.name: "***" if p.is_secret else value for p, value in given}, **dict(self.others)}


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _above(module: str) -> Any:
    """Return a module of a layer above, which OPs need only when they are called by themselves."""
    return import_module(module)


def _finish(name: str, type_name: Any, draft: _Draft, *, common: bool) -> Param:
    return Param(name, str(type_name), draft.doc, draft.default, common=common, **draft.facts)


def _dedent(text: str) -> str:
    return "\n".join(line.strip() for line in text.strip().splitlines())


# The parameters of `Op` itself are drafts until here: `__init_subclass__` does not run for the base.
Op._params = tuple(
    _finish(attribute, Op.__annotations__[attribute], value, common=True)
    for attribute, value in vars(Op).items()
    if isinstance(value, _Draft)
)
for _param in Op._params:
    delattr(Op, _param.name)


class Filter(Op):
    """Writes stats, then keeps the rows where `keep` is true."""

    kind = "filter"

    min_closed_interval: bool = param("Whether the lower bound itself belongs to the kept range.", default=True)
    max_closed_interval: bool = param("Whether the upper bound itself belongs to the kept range.", default=True)
    reversed_range: bool = param(
        "Keep the rows outside the range instead; the two flags still say whether a value on a bound is kept.", default=False
    )
    stats_export_path: str | None = param(
        "File of JSON lines for all rows that reach this filter, with their stats; all rows wait for it.", default=None
    )

    def stats(self) -> dict[str, Expr]:
        """Stats by name, each one expression; a stat that a row brings along stands, unless the OP `overwrites`."""
        return {}

    def keep(self) -> Expr | None:
        """Condition on the stats (`col` of a stat's name); None keeps every row."""
        raise NotImplementedError

    def compute_stats(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """Return a copy of one row with its stats under ``__dj__stats__``.

        Raises
        ------
        RowError
            If the row would be rejected.
        """
        rows: list[dict[str, Any]] = _above("djfast.dataset").rows_of_one(self, row, drops_rows=False)
        return rows[0]

    def process(self, row: Mapping[str, Any]) -> bool:
        """Tell whether one row is kept. Stats that it has stand, and are not computed again.

        Raises
        ------
        RowError
            If the row would be rejected.
        """
        return bool(_above("djfast.dataset").rows_of_one(self, row))

    def in_range(self, stat: str, low: float | None, high: float | None) -> Expr:
        """Condition that `stat` lies in the range, by the three interval parameters.

        NaN lies in no range. A reversed range keeps the bounds that the closed flags name.
        """
        reverse = self.reversed_range
        return call(
            "in_range",
            col(stat),
            low=low,
            high=high,
            low_closed=self.min_closed_interval != reverse,
            high_closed=self.max_closed_interval != reverse,
            reverse=reverse,
        )

    def list_in_range(
        self, stat: str, low: float | None, high: float | None, *, any_or_all: str = "any", when_empty: bool
    ) -> Expr:
        """Condition that any or all numbers of a JSON list, or a number alone, lie in the range; null is the empty list."""
        return call(
            "list_in_range",
            col(stat),
            low=low,
            high=high,
            low_closed=self.min_closed_interval != self.reversed_range,
            high_closed=self.max_closed_interval != self.reversed_range,
            reverse=self.reversed_range,
            any_or_all=any_or_all,
            when_empty=when_empty,
        )


class Mapper(Op):
    """Replaces or adds columns, row by row."""

    kind = "mapper"

    replaces_tags: ClassVar[bool] = False  # whether `tags` go before those that a row brings along; they must be JSON then

    def overwrites(self) -> bool:
        """Return `replaces_tags`; an OP whose parameters decide overrides it."""
        return self.replaces_tags

    def process(self, row: Mapping[str, Any]) -> dict[str, Any] | list[dict[str, Any]]:
        """Return what becomes of one row: the row, or a list if it becomes other than one. The given row stays as it is.

        Raises
        ------
        RowError
            If the row would be rejected.
        """
        rows: list[dict[str, Any]] = _above("djfast.dataset").rows_of_one(self, row)
        return rows[0] if len(rows) == 1 else rows

    def assign(self) -> dict[str, Expr]:
        """Columns by role or name, each one expression of the old columns.

        A value of type ``json`` may be of any JSON type; the empty text leaves a row's field as it is.
        """
        return {}

    def tags(self) -> dict[str, Expr]:
        """Tags by name, for a row's ``__dj__meta__``; one that a row brings along stands, unless the OP `overwrites`."""
        return {}


class Survey(NamedTuple):
    """What an OP must know of all rows before it can change one: the numbers that more than `threshold` rows have.

    `values` gives each row's numbers, each once. Functions declared with `surveyed` get the frequent ones as `frequent`.
    """

    values: Expr
    threshold: int


class Surveyor(Mapper):
    """A mapper that surveys all rows first; `assign` then works with what is frequent."""

    kind = "deduplicator"

    def survey(self) -> Survey:
        """Return what is counted, and when it is frequent."""
        raise NotImplementedError


class Fused(Op):
    """Stands for the OPs that it lists: they take its place when a recipe is loaded, so it never runs itself."""

    kind = "fused"

    member_lists: ClassVar[tuple[str, ...]] = ()  # parameters that list OPs as `process` does, in order


MAX_FUSED_DEPTH = 16  # fused OPs within each other


class DuplicateRule(NamedTuple):
    """How the keys of a deduplicator form groups of duplicates; of each group the first row is kept.

    ``equal``: rows with the same digest. ``bands``: rows that share any of their `bands` keys, transitively; `by_number`
    says that one more key is a number, and that the row with the smallest is kept. ``hamming``: rows whose 64-bit hashes
    differ in at most `distance` bits, transitively.
    """

    kind: str
    distance: int = 0
    bands: int = 0
    by_number: bool = False

    @property
    def width(self) -> int:
        """Return the 64-bit numbers in a row's key."""
        return {"equal": 2, "bands": self.bands + self.by_number, "hamming": 1}[self.kind]


class Deduplicator(Op):
    """Computes a key for each row, then keeps the first row of each group of duplicates."""

    kind = "deduplicator"

    def key(self) -> Expr:
        """Column that decides which rows are duplicates."""
        raise NotImplementedError

    def rule(self) -> DuplicateRule:
        """How keys form groups."""
        raise NotImplementedError

    def columns(self) -> dict[str, Expr]:
        """Hash columns that stay in the result with ``keep_hashes_in_res_ds``, by reserved name."""
        return {}


class Grouper(Op):
    """Joins rows into one: each field becomes the list of its values in the rows."""

    kind = "grouper"

    def group(self) -> Expr | None:
        """JSON that is the same for the rows of a group; None makes one group of all rows."""
        return None


class Aggregator(Mapper):
    """A mapper for rows that a grouper has made; what it finds goes to ``__dj__batch_meta__``."""

    kind = "aggregator"


class Selection(NamedTuple):
    """Which rows a selector takes, and in which order, once it knows the values of all rows.

    ``all``: every row, untouched. ``numbered``: every row, with its number in a field. ``written``: every row, written to
    a file. ``top``: the rows with the largest values, or the smallest. ``range``: the rows between two ranks, the largest
    first. ``frequent``: all rows with the most frequent values, or the rarest. ``random``: the first rows of a fixed
    shuffle.

    A share and a limit bound each other. They are of rows, of distinct values for ``frequent``; None bounds nothing.
    """

    kind: str
    share: float | None = None
    limit: int | None = None
    low_share: float | None = None  # range only: the ranks below are left out
    low_limit: int | None = None
    descending: bool = True
    as_numbers: bool = False  # values are read as numbers, texts and lists included
    number_key: str | None = None  # numbered only: the field
    path: str | None = None  # written only: the file
    written_field: str | None = None  # written only: what of a row, None is all


class Selector(Op):
    """Picks rows by comparing them with each other; may change their order."""

    kind = "selector"

    def keep(self) -> Expr | None:
        """Condition on the row alone, for a selector that need not see the others."""
        return None

    def values(self) -> Expr | None:
        """JSON that rows are compared by; None when they are not looked at."""
        return None

    def selection(self) -> Selection:
        """Which rows are taken."""
        return Selection("all")
