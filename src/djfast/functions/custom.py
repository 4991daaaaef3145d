"""Functions that users wrote as OPs, bound to parameters."""

from __future__ import annotations

import inspect
import json
import sys
from collections.abc import Callable, Mapping
from typing import Any

from djfast.errors import RecipeError
from djfast.functions.confinement import confined
from djfast.functions.failures import Failures, innermost, place_of
from djfast.functions.rows import Row, alike_together, alone_when_it_fails
from djfast.redaction import guarded
from djfast.reserved import META, STATS
from djfast.type_names import spoken_type

CUSTOM: dict[str, Callable[..., Any]] = {}  # OP -> the function, or the class written for Data-Juicer

Function = Callable[..., Any]


class _Drop:
    """What a mapper returns to drop a row."""

    def __repr__(self) -> str:
        return "djfast.DROP"

    def __reduce__(self) -> str:
        return "DROP"


DROP = _Drop()


def function_of(op: str | Function) -> Function:
    """Return the function behind the name of an OP, or the function itself."""
    return op if callable(op) else CUSTOM[op]


def source_file(op: str | Function) -> str:
    """Return the file that a user's OP is written in; the empty text where there is none."""
    function = innermost(function_of(op))
    if not inspect.isroutine(function) and not inspect.isclass(function):
        function = type(function)
    try:
        return inspect.getsourcefile(function) or ""
    except TypeError:  # it is written in C
        return ""


def bind_custom_mapper_of_rows(op: str | Function, params: str) -> Callable[[Row], Any]:
    """Return the function that gives a row to a user's function."""
    function, given = function_of(op), _given(params)
    return _failures(op).guarded(lambda row: mapped_rows(function(row, **given)))


def bind_custom_filter_of_rows(op: str | Function, params: str) -> Callable[[Row], Any]:
    """Return the function that asks a user's function whether a row is kept."""
    function, given = function_of(op), _given(params)

    def decided(row: Row) -> tuple[Row, bool]:
        answer = function(dict(row), **given)
        stats, is_kept = answer if isinstance(answer, tuple) and len(answer) == 2 else ({}, answer)
        if not isinstance(stats, Mapping):
            raise TypeError(f"the stats of a filter must be a mapping of names to values, got {spoken_type(stats)}")
        if stats:
            row[STATS] = {**stats, **(row.get(STATS) or {})}  # those that a row brought along stand
        return row, boolean(is_kept)

    return _failures(op).guarded(decided)


def bind_custom_mapper_of_batches(op: str | Function, params: str) -> Callable[[list[Row]], list[Any]]:
    """Return the function that gives rows to a user's function as a record batch."""
    from djfast.functions.record_batches import shape, through_batches

    function, given = function_of(op), _given(params)
    ask = confined(lambda batch: function(batch, **given))
    called = alone_when_it_fails(lambda rows: through_batches(ask, rows))
    return _failures(op).among(alike_together(called, shape))


def bind_custom_filter_of_batches(op: str | Function, params: str) -> Callable[[list[Row]], list[Any]]:
    """Return the function that asks a user's function which rows of a record batch are kept."""
    from djfast.functions.record_batches import decisions, shape

    function, given = function_of(op), _given(params)
    ask = confined(lambda batch: function(batch, **given))
    called = alone_when_it_fails(lambda rows: decisions(ask, rows))
    return _failures(op).among(alike_together(called, shape))


def bind_adapted_mapper(op: str, params: str, text_key: str) -> Callable[[Row], Any]:
    """Return the function that runs a mapper written for Data-Juicer on a row."""
    return _failures(op).guarded(adapted_mapper(_instance(op, params, text_key)))


def bind_adapted_filter(op: str, params: str, text_key: str) -> Callable[[Row], Any]:
    """Return the function that runs a filter written for Data-Juicer on a row."""
    return _failures(op).guarded(adapted_filter(_instance(op, params, text_key)))


def adapted_mapper(mapper: Any) -> Callable[[Row], Any]:
    """Return what a mapper written for Data-Juicer does to a row."""
    mapped = _mapped_by(mapper)
    if not getattr(mapper, "writes_tags", False):
        return mapped

    def tagged(row: Row) -> list[Row]:
        rows = mapped({**row, META: dict(row.get(META) or {})})
        if META not in row:
            for each in rows:
                if not each.get(META):
                    each.pop(META, None)  # the place that was made for tags
        return rows

    return tagged


def _mapped_by(mapper: Any) -> Callable[[Row], list[Row]]:
    if hasattr(mapper, "process_single"):
        return lambda row: [{**row, **mapping(mapper.process_single(dict(row)), "process_single")}]

    def mapped(row: Row) -> list[Row]:
        columns = mapper.process_batched({name: [value] for name, value in row.items()})
        return with_columns([row], mapping(columns, "process_batched"))

    return mapped


def adapted_filter(instance: Any) -> Callable[[Row], tuple[Row, bool]]:
    """Return what a filter written for Data-Juicer does to a row."""

    def decided(row: Row) -> tuple[Row, bool]:
        row[STATS] = dict(row.get(STATS) or {})
        if hasattr(instance, "compute_stats_single"):
            row = {**row, **mapping(instance.compute_stats_single(dict(row)), "compute_stats_single")}
            return row, boolean(instance.process_single(row))
        columns = instance.compute_stats_batched({name: [value] for name, value in row.items()})
        [row] = with_columns([row], mapping(columns, "compute_stats_batched"))
        answers = list(instance.process_batched({name: [value] for name, value in row.items()}))
        if len(answers) != 1:
            raise ValueError(f"process_batched must give an answer for each row, got {len(answers)} for 1 row")
        return row, boolean(answers[0])

    return decided


def mapped_rows(answer: Any) -> Any:
    """Return the row or the rows that a mapper gave back.

    Raises
    ------
    TypeError
        If it gave back something else.
    """
    if isinstance(answer, dict):
        return answer
    if answer is DROP:
        return []
    if inspect.isgenerator(answer):
        answer = list(answer)
    if isinstance(answer, list):
        for each in answer:
            if not isinstance(each, Mapping):
                raise TypeError(f"a list that a mapper returns must hold rows, got {spoken_type(each)} in it")
        return [dict(each) for each in answer]
    if isinstance(answer, Mapping):
        return dict(answer)
    if answer is None:
        raise TypeError("the function returned None; is `return row` missing? To drop a row, return djfast.DROP or use a filter")
    raise TypeError(f"a mapper must return a row, a list of rows or djfast.DROP, got {spoken_type(answer)}")


def mapping(answer: Any, method: str = "the function") -> Mapping[str, Any]:
    """Return the fields or columns that code of the user gave back.

    Raises
    ------
    TypeError
        If it gave back something else.
    """
    if answer is None:
        raise TypeError(f"{method} returned None; is the `return` missing?")
    if not isinstance(answer, Mapping):
        raise TypeError(f"{method} must return a mapping of fields, got {spoken_type(answer)}")
    return answer


def boolean(answer: Any) -> bool:
    """Return what a filter decided.

    Raises
    ------
    TypeError
        If it is neither a boolean nor a number.
    """
    if isinstance(answer, bool):
        return answer
    if hasattr(answer, "as_py"):
        answer = answer.as_py()
    is_number = isinstance(answer, int | float) or getattr(getattr(answer, "dtype", None), "kind", "") in ("b", "i", "u", "f")
    if is_number and not getattr(answer, "shape", ()):
        return bool(answer)
    hint = "; is the `return` missing?" if answer is None else ""
    raise TypeError(f"a filter must return true or false, or a pair of stats and that{hint}, got {spoken_type(answer)}")


def with_columns(rows: list[Row], columns: Mapping[str, Any]) -> list[Row]:
    """Return rows with other columns; what is not among them stays.

    Raises
    ------
    TypeError, ValueError
        If columns are not lists of one length, or other rows than were given lack fields.
    """
    if not columns:
        return rows
    for name, values in columns.items():
        if isinstance(values, str | bytes | Mapping) or not hasattr(values, "__len__"):
            raise TypeError(f"column '{name}' must be a list with a value for each row, got {spoken_type(values)}")
    lists = {name: values if isinstance(values, list) else list(values) for name, values in columns.items()}
    lengths = {len(values) for values in lists.values()}
    if len(lengths) > 1:
        raise ValueError(f"all lists must be of one length, got {sorted(lengths)}")
    [count] = lengths
    if count == len(rows):
        return [{**row, **{name: values[at] for name, values in lists.items()}} for at, row in enumerate(rows)]
    missing = [name for name in rows[0] if name not in lists]
    if missing:
        raise ValueError(f"other rows than were given need all fields, got none of {', '.join(missing)}")
    return [{name: values[at] for name, values in lists.items()} for at in range(count)]


def _given(params: str) -> Any:
    """Return parameters from their JSON. Those that are named like secrets are kept out of all messages from now on."""
    given = json.loads(params)
    guarded(given)
    return given


def _failures(op: str | Function) -> Failures:
    function = function_of(op)
    if isinstance(function, type):  # written for Data-Juicer
        methods = ("process_single", "process_batched", "compute_stats_single", "compute_stats_batched")
        function = next((getattr(function, name) for name in methods if hasattr(function, name)), function)
    return Failures(op if isinstance(op, str) else getattr(innermost(op), "__name__", "function"), function)


def _instance(op: str, params: str, text_key: str) -> Any:
    """Make an object of a class written for Data-Juicer; keys of fields reach it also where its `__init__` does not take them.

    Raises
    ------
    RecipeError
        If its `__init__` does.
    """
    own, common = _given(params)
    cls = CUSTOM[op]
    common = {**common, "text_key": text_key}
    try:
        instance = cls(**own, **common) if takes_any(cls.__init__) else cls(**own)
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        place = place_of(error)
        raise RecipeError(f"{op}: {type(error).__name__}: {error}{f' ({place})' if place else ''}") from error
    for name, value in common.items():
        setattr(instance, name, value)
    return instance


def takes_any(function: Function) -> bool:
    """Tell whether a function has ``**kwargs``."""
    return any(each.kind is each.VAR_KEYWORD for each in parameters_of(function))


def parameters_of(function: Function) -> list[inspect.Parameter]:
    """Return the arguments of a function; annotations may be names that nothing stands for.

    Raises
    ------
    TypeError, ValueError
        If Python does not know them.
    """
    if sys.version_info >= (3, 14):  # where annotations are evaluated when they are read
        import annotationlib

        return list(inspect.signature(function, annotation_format=annotationlib.Format.FORWARDREF).parameters.values())
    return list(inspect.signature(function).parameters.values())
