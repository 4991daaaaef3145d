"""Arrow values as JSON, and back: what JSON does not have is written so that a column of the same type has the same values again.

Dates, times and timestamps are ISO 8601 with all their digits, durations ISO 8601 in seconds, decimals texts, bytes what
`djfast.json_bytes` makes of them, maps lists of pairs; dictionaries, runs and extensions stand for their values.
"""

from __future__ import annotations

import contextlib
import datetime
import decimal
import json
import re
import struct
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from djfast.json_bytes import as_json
from djfast.plain_values import duration
from djfast.type_names import spoken_type

if TYPE_CHECKING:
    import pyarrow as pa

_TICKS = {"s": 1, "ms": 1000, "us": 10**6, "ns": 10**9}
_DAY = 86400
_EPOCH = datetime.date(1970, 1, 1).toordinal()
_CYCLE = 146097  # days of 400 years, after which the calendar repeats itself
_DATE = r"(?P<year>\d{4}|[+-]\d{4,6})-(?P<month>\d\d)-(?P<day>\d\d)"
_CLOCK = r"(?P<hours>\d\d):(?P<minutes>\d\d):(?P<seconds>\d\d)(?:\.(?P<fraction>\d{1,9}))?"
_ZONE = r"(?P<zone>Z|(?P<sign>[+-])(?P<zone_hours>\d\d):?(?P<zone_minutes>\d\d)(?::(?P<zone_seconds>\d\d))?)?"
_DURATION = r"(?P<sign>-?)PT(?P<seconds>\d+)(?:\.(?P<fraction>\d{1,9}))?S"

Converter = Callable[[Any], Any]


class Misfit(ValueError):
    """A value that a type cannot hold. The message says what the value must be."""


def is_kind(kind: pa.DataType, *names: str) -> bool:
    """Tell whether a type is one of those that ``pyarrow.types.is_<name>`` names; older versions do not know all."""
    import pyarrow as pa

    return any(check(kind) for name in names if (check := getattr(pa.types, f"is_{name}", None)) is not None)


def is_listing(kind: pa.DataType) -> bool:
    """Tell whether the values of a type are lists, in whatever layout."""
    return is_kind(kind, "list", "large_list", "fixed_size_list", "list_view", "large_list_view")


def is_extension(kind: pa.DataType) -> bool:
    """Tell whether a type is an extension of another one."""
    import pyarrow as pa

    return isinstance(kind, pa.BaseExtensionType)


def inner_fields(kind: pa.DataType) -> list[pa.Field]:
    """Return the fields of a nested type; none for others."""
    if is_listing(kind):
        return [kind.value_field]
    if is_kind(kind, "map"):
        return [kind.key_field, kind.item_field]
    return [kind.field(number) for number in range(kind.num_fields)] if is_kind(kind, "struct", "union") else []


def holds(kind: pa.DataType, test: Callable[[pa.DataType], bool]) -> bool:
    """Tell whether a test is true of a type or of a type inside it."""
    return test(kind) or any(holds(field.type, test) for field in inner_fields(kind))


def json_rows(batch: pa.RecordBatch) -> list[dict[str, Any]]:
    """Return the rows of a batch as dictionaries of what `djfast.json_bytes.as_json` lets ``json.dumps`` write."""
    if not batch.num_columns:
        return [{} for _ in range(batch.num_rows)]
    names = batch.schema.names
    return [dict(zip(names, values)) for values in zip(*(json_values(column) for column in batch.columns))]


def json_field(name: str) -> pa.Field:
    """Return the field of a column of JSON, in texts without line feeds."""
    import pyarrow as pa

    return pa.field(name, pa.string(), metadata={b"djfast": b"json"})


def is_json(field: pa.Field) -> bool:
    """Tell whether `json_field` made a field."""
    return field.metadata is not None and field.metadata.get(b"djfast") == b"json"


def without_json(schema: pa.Schema) -> pa.Schema:
    """Return the columns but those of JSON: what is in them is known row by row only."""
    import pyarrow as pa

    return pa.schema([field for field in schema if not is_json(field)], schema.metadata)


def json_lines(batch: pa.RecordBatch) -> list[str]:
    """Return the rows of a batch as JSON without line feeds; columns of JSON as they stand."""
    if any(map(is_json, batch.schema)):
        columns = [
            [f"{json.dumps(field.name)}: {'null' if text is None else text}" for text in _json_texts(field, column)]
            for field, column in zip(batch.schema, batch.columns)
        ]
        return ["{" + ", ".join(members) + "}" for members in zip(*columns)]
    return [json.dumps(row, ensure_ascii=False, default=as_json) for row in json_rows(batch)]


def _json_texts(field: pa.Field, column: pa.Array) -> list[str | None]:
    if is_json(field):
        texts: list[str | None] = column.to_pylist()
        return texts
    return [json.dumps(value, ensure_ascii=False, default=as_json) for value in json_values(column)]


def json_values(array: pa.Array) -> list[Any]:
    """Return the values of a column for JSON."""
    kind = array.type
    if not holds(kind, _needs_words):
        values: list[Any] = array.to_pylist()
        return values
    if is_kind(kind, "dictionary"):
        return json_values(array.dictionary_decode())
    if is_kind(kind, "run_end_encoded"):
        return json_values(_decoded_runs(array))
    if is_extension(kind):
        return [str(value) if hasattr(value, "hex") and hasattr(value, "urn") else value for value in _of_extension(array)]
    if is_kind(kind, "temporal"):
        return _temporal_words(array)
    if is_kind(kind, "struct"):
        columns = [json_values(array.field(number)) for number in range(kind.num_fields)]
        names = [field.name for field in inner_fields(kind)]
        rows = zip(*columns) if columns else ((),) * len(array)
        return [dict(zip(names, row)) if valid else None for row, valid in zip(rows, array.is_valid().to_pylist())]
    if is_listing(kind) or is_kind(kind, "map"):
        return [_item_words(scalar, kind) for scalar in array]
    return list(array.to_pylist())


def _needs_words(kind: pa.DataType) -> bool:
    """Tell whether values of a type are not what ``to_pylist`` gives."""
    if is_kind(kind, "dictionary", "run_end_encoded"):
        return holds(kind.value_type, _needs_words)
    # Intervals are temporal in name only: their three numbers are a list.
    return is_extension(kind) or (is_kind(kind, "temporal") and not is_kind(kind, "interval"))


def _decoded_runs(array: pa.Array) -> pa.Array:
    import pyarrow.compute as pc

    return pc.run_end_decode(array)


def _of_extension(array: pa.Array) -> list[Any]:
    return list(array.to_pylist()) if str(array.type) == "extension<arrow.uuid>" else json_values(array.storage)


def _item_words(scalar: Any, kind: pa.DataType) -> Any:
    if not scalar.is_valid:
        return None
    if is_kind(kind, "map"):
        entries = scalar.values
        return [list(pair) for pair in zip(json_values(entries.field(0)), json_values(entries.field(1)))]
    return json_values(scalar.values)


def _temporal_words(array: pa.Array) -> list[str | None]:
    import pyarrow as pa
    import pyarrow.compute as pc

    kind = array.type
    if is_kind(kind, "date"):
        days = array.cast(pa.date32()).cast(pa.int32()).to_pylist()
        return [None if day is None else _date(day) for day in days]
    ticks = array.cast(pa.int32() if is_kind(kind, "time32") else pa.int64())
    unit = kind.unit
    if is_kind(kind, "duration"):
        return [None if tick is None else duration(tick, _TICKS[unit]) for tick in ticks.to_pylist()]
    if is_kind(kind, "time"):
        return [None if tick is None else _clock(tick, unit) for tick in ticks.to_pylist()]
    if kind.tz is None:
        return [None if tick is None else _moment(tick, unit) for tick in ticks.to_pylist()]
    local = pc.local_timestamp(array).cast(pa.int64()).to_pylist()
    return [
        None if there is None else _moment(there, unit) + _zone((there - here) // _TICKS[unit])
        for here, there in zip(ticks.to_pylist(), local)
    ]


def _date(days: int) -> str:
    ordinal = days + _EPOCH
    if 0 < ordinal <= datetime.date.max.toordinal():
        return datetime.date.fromordinal(ordinal).isoformat()
    cycles, rest = divmod(ordinal - 1, _CYCLE)
    day = datetime.date.fromordinal(rest + 1)
    return f"{day.year + 400 * cycles:+05d}-{day.month:02d}-{day.day:02d}"


def _clock(ticks: int, unit: str) -> str:
    seconds, rest = divmod(ticks, _TICKS[unit])
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}" + _fraction(rest, unit)


def _fraction(ticks: int, unit: str) -> str:
    """Return nothing, six digits or nine, as Python does."""
    if not ticks:
        return ""
    digits = f"{ticks * (10**9 // _TICKS[unit]):09d}"
    return "." + digits.removesuffix("000")


def _moment(ticks: int, unit: str) -> str:
    days, rest = divmod(ticks, _DAY * _TICKS[unit])
    return f"{_date(days)}T{_clock(rest, unit)}"


def _zone(seconds: int) -> str:
    sign, seconds = ("-", -seconds) if seconds < 0 else ("+", seconds)
    rest = f":{seconds % 60:02d}" if seconds % 60 else ""
    return f"{sign}{seconds // 3600:02d}:{seconds // 60 % 60:02d}{rest}"


def can_return(kind: pa.DataType) -> bool:
    """Tell whether `array_of` makes columns of a type from JSON: of all but unions, and runs or extensions inside others."""
    if is_extension(kind):
        return can_return(kind.storage_type)
    if is_kind(kind, "run_end_encoded"):
        return can_return(kind.value_type)
    return not holds(kind, lambda each: is_kind(each, "union", "run_end_encoded") or is_extension(each) or _is_odd(each))


def _is_odd(kind: pa.DataType) -> bool:
    return is_kind(kind, "dictionary") and (is_kind(kind.value_type, "temporal", "nested") or is_extension(kind.value_type))


def array_of(values: Iterable[Any], kind: pa.DataType) -> pa.Array:
    """Return a column of a type of what its `converter` gave."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if is_kind(kind, "run_end_encoded"):
        return pc.run_end_encode(array_of(values, kind.value_type), kind.run_end_type)
    if is_extension(kind):
        return pa.ExtensionArray.from_storage(kind, array_of(values, kind.storage_type))
    return pa.array(values, kind)


def restore(rows: Sequence[dict[str, Any]], columns: pa.Schema) -> None:
    """Give rows that were written as JSON the values that Arrow has for their columns, where these still hold them."""
    for field in columns:
        if not can_return(field.type) or not holds(field.type, _is_worded):
            continue
        convert = converter(field.type)
        converted = []
        for number, row in enumerate(rows):
            with contextlib.suppress(Misfit):
                if row.get(field.name) is not None:
                    converted.append((number, convert(row[field.name])))
        values = array_of([value for _, value in converted], field.type).to_pylist()
        for (number, _), value in zip(converted, values):
            rows[number][field.name] = value


def _is_worded(kind: pa.DataType) -> bool:
    """Tell whether JSON has other values for a type than ``to_pylist`` gives."""
    return _needs_words(kind) or is_kind(kind, "decimal", "map", "interval")


def converter(kind: pa.DataType) -> Converter:
    """Return the function from JSON, bytes included, to what pyarrow makes a value of this type of.

    It raises `Misfit` for a value that the type does not hold exactly.
    """
    convert = _converter(kind)
    return lambda value: None if value is None else convert(value)


def _converter(kind: pa.DataType) -> Converter:
    import pyarrow as pa

    if is_kind(kind, "dictionary", "run_end_encoded"):
        return _converter(kind.value_type)
    if is_extension(kind):
        return _uuid if str(kind) == "extension<arrow.uuid>" else _converter(kind.storage_type)
    if is_kind(kind, "map"):
        return _pairs(converter(kind.key_type), converter(kind.item_type))
    if is_listing(kind):
        return _list(converter(kind.value_type), kind.list_size if is_kind(kind, "fixed_size_list") else None)
    if is_kind(kind, "struct"):
        return _object({field.name: converter(field.type) for field in inner_fields(kind)})
    if is_kind(kind, "decimal"):
        return _decimal(kind.precision, kind.scale)
    if is_kind(kind, "integer"):
        most = (1 << (kind.bit_width - is_kind(kind, "signed_integer"))) - 1
        return _integer(-most - 1 if is_kind(kind, "signed_integer") else 0, most, str(kind))
    if is_kind(kind, "floating"):
        return _floating({16: "e", 32: "f", 64: "d"}[kind.bit_width], str(kind))
    if is_kind(kind, "date"):
        ticks = _DAY * 1000 if kind == pa.date64() else 1
        return lambda value: _parts(_DATE, value, "a date")[0] * ticks
    if is_kind(kind, "interval"):
        return _interval
    if is_kind(kind, "temporal"):
        return _temporal(kind)
    if is_kind(kind, "binary", "large_binary", "binary_view", "fixed_size_binary"):
        return _bytes(kind.byte_width if is_kind(kind, "fixed_size_binary") else None)
    if is_kind(kind, "boolean"):
        return lambda value: _of(bool, value, "a boolean")
    if is_kind(kind, "null"):
        return lambda value: _of(type(None), value, "null")
    if is_kind(kind, "string", "large_string", "string_view"):
        return _text
    raise NotImplementedError(str(kind))


def _of(kind: type, value: Any, words: str) -> Any:
    if type(value) is not kind:
        raise Misfit(f"must be {words}, got {shown(value)}")
    return value


def shown(value: Any) -> str:
    """Return a value as messages show it."""
    text = repr(value) if isinstance(value, int | float | str) else f"a {spoken_type(value)}"
    return text if len(text) <= 80 else text[:77] + "..."


def _text(value: Any) -> str:
    text: str = _of(str, value, "a string")
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError:
            raise Misfit("must not hold a lone surrogate, which is not a Unicode character") from None
    return text


def _integer(least: int, most: int, name: str) -> Converter:
    def convert(value: Any) -> int:
        number: int = _of(int, value, f"an integer ({name})")
        if not least <= number <= most:
            raise Misfit(f"must be an integer that {name} holds, got {shown(value)}")
        return number

    return convert


def _floating(code: str, name: str) -> Converter:
    def convert(value: Any) -> float:
        if type(value) not in (int, float):
            raise Misfit(f"must be a number, got {shown(value)}")
        try:
            number = float(value)
            is_exact = number == value and (code == "d" or struct.unpack(code, struct.pack(code, number))[0] == number)
        except OverflowError:
            is_exact = False
        if not is_exact and value == value:
            raise Misfit(f"must be a number that {name} holds exactly, got {shown(value)}")
        return number

    return convert


def _decimal(precision: int, scale: int) -> Converter:
    exactly = decimal.Context(prec=precision, traps=[decimal.Inexact, decimal.InvalidOperation])
    unit = decimal.Decimal(1).scaleb(-scale)

    def convert(value: Any) -> decimal.Decimal:
        if type(value) not in (int, str, decimal.Decimal):
            raise Misfit(f"must be a decimal number in a string, got {shown(value)}")
        try:
            number = decimal.Decimal(value)
            if number.is_finite():
                return number.quantize(unit, context=exactly)
        except decimal.DecimalException:
            pass
        raise Misfit(f"must be a decimal number of {precision} digits, {scale} behind the point, got {shown(value)}")

    return convert


def _bytes(width: int | None) -> Converter:
    def convert(value: Any) -> bytes:
        data: bytes = _of(bytes, value, "bytes")
        if width is not None and len(data) != width:
            raise Misfit(f"must be {width} bytes, got {len(data)}")
        return data

    return convert


def _uuid(value: Any) -> bytes:
    import uuid

    try:
        return uuid.UUID(_of(str, value, "a UUID")).bytes
    except Misfit:
        raise
    except ValueError:
        raise Misfit(f"must be a UUID, got {shown(value)}") from None


def _list(convert: Converter, size: int | None) -> Converter:
    def converted(value: Any) -> list[Any]:
        items: list[Any] = _of(list, value, "a list")
        if size is not None and len(items) != size:
            raise Misfit(f"must be a list of {size}, got {len(items)}")
        return [convert(item) for item in items]

    return converted


def _pairs(key: Converter, item: Converter) -> Converter:
    def convert(value: Any) -> list[tuple[Any, Any]]:
        pairs = list(value.items()) if isinstance(value, dict) else _of(list, value, "a list of pairs")
        if not all(isinstance(pair, list | tuple) and len(pair) == 2 and pair[0] is not None for pair in pairs):
            raise Misfit("must be a list of pairs of a key and a value")
        return [(key(each), item(other)) for each, other in pairs]

    return convert


def _object(fields: Mapping[str, Converter]) -> Converter:
    def convert(value: Any) -> dict[str, Any]:
        members: dict[str, Any] = _of(dict, value, "a mapping")
        converted = {}
        for name, each in fields.items():
            try:
                converted[name] = each(members.get(name))
            except Misfit as error:
                raise Misfit(f"in '{name}' {error}") from None
        if len(members) > len(fields) or not members.keys() <= fields.keys():
            unknown = next(name for name in members if name not in fields)
            raise Misfit(f"must have no other field than {', '.join(fields) or 'none'}, got '{unknown}'")
        return converted

    return convert


def _interval(value: Any) -> tuple[int, int, int]:
    numbers = _of(list, value, "a list of months, days and nanoseconds")
    if len(numbers) != 3 or any(type(number) is not int for number in numbers):
        raise Misfit("must be a list of months, days and nanoseconds")
    return (numbers[0], numbers[1], numbers[2])


def _temporal(kind: pa.DataType) -> Converter:
    unit = kind.unit
    most = 1 << (31 if is_kind(kind, "time32") else 63)
    name = str(kind)

    def convert(value: Any) -> int:
        if is_duration:
            days, seconds, fraction, zone = _parts(_DURATION, value, "a duration such as PT1.5S")
        elif is_time:
            days, seconds, fraction, zone = _parts(_CLOCK, value, "a time")
        else:
            days, seconds, fraction, zone = _parts(f"{_DATE}[T ]{_CLOCK}{_ZONE}", value, "a date and a time")
            if (zone is None) == has_zone:
                raise Misfit(f"must be a date and a time {'with' if has_zone else 'without'} a time zone, got {shown(value)}")
        ticks, rest = divmod(fraction * _TICKS[unit], 10**9)
        ticks += (days * _DAY + seconds - (zone or 0)) * _TICKS[unit]
        if rest or not -most <= ticks < most:
            raise Misfit(f"must be a time that {name} holds exactly, got {shown(value)}")
        return -ticks if is_duration and value.startswith("-") else ticks

    is_duration, is_time = is_kind(kind, "duration"), is_kind(kind, "time")
    has_zone = is_kind(kind, "timestamp") and kind.tz is not None
    return convert


def _parts(pattern: str, value: Any, words: str) -> tuple[int, int, int, int | None]:
    """Return the days since 1970, seconds, nanoseconds and seconds of the zone that a text says."""
    found = re.fullmatch(pattern, value, re.ASCII) if isinstance(value, str) else None
    if found is None:
        raise Misfit(f"must be {words}, got {shown(value)}")
    said = found.groupdict()
    try:
        days = _days(int(said["year"]), int(said["month"]), int(said["day"])) if "year" in said else 0
    except ValueError:
        raise Misfit(f"must be {words}, got {shown(value)}") from None
    hours, minutes, seconds = (int(said.get(part) or 0) for part in ("hours", "minutes", "seconds"))
    if hours > 23 or minutes > 59 or ("hours" in said and seconds > 59):
        raise Misfit(f"must be {words}, got {shown(value)}")
    nanoseconds = int(f"{said.get('fraction') or '':0<9}")
    zone = None
    if said.get("zone"):
        zone = sum(int(said[f"zone_{part}"] or 0) * size for part, size in (("hours", 3600), ("minutes", 60), ("seconds", 1)))
        zone = -zone if said["sign"] == "-" else zone
    return days, hours * 3600 + minutes * 60 + seconds, nanoseconds, zone


def _days(year: int, month: int, day: int) -> int:
    cycles, within = divmod(year - 1, 400)
    return datetime.date(within + 1, month, day).toordinal() - _EPOCH + cycles * _CYCLE
