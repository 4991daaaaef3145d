"""JSON Schema of a whole recipe, for editors: made from the same tables that recipes are checked with."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from typing import Any

from djfast import catalog
from djfast.declare import MISSING, Fused, OpSpec, Param
from djfast.recipe.keys import GROUPS, KEYS, NO_EFFECT, REFUSED, Key

_TYPES = {
    "int": "integer",
    "float": "number",
    "str": "string",
    "bool": "boolean",
    "list": "array",
    "dict": "object",
    "None": "null",
}


def recipe_schema() -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of recipes."""
    specs = catalog.all_specs()
    shared = _Shared(specs)
    plain = {name: _key_schema(key) for name, key in KEYS.items() if "." not in name and name != "process"}
    groups = {group: _group_schema(group) for group in sorted(GROUPS)}
    names = {
        "enum": [spec.name for spec in specs if not _required(spec)],
        "description": "An OP with its default parameters.",
    }
    process = {
        "type": "array",
        "description": KEYS["process"].doc,
        "items": {"oneOf": [names, *({"$ref": f"#/$defs/{spec.name}"} for spec in specs)]},
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "djfast recipe",
        "description": "A list of operators over text data, with its input and output.",
        "type": "object",
        "properties": {**plain, **groups, "process": process},
        "additionalProperties": False,
        "$defs": {
            "interpolation": {
                "description": "A text with an environment variable.",
                "type": "string",
                "pattern": r"\$\{",
            },
            **shared.schemas,
            **{spec.name: _op_schema(spec, shared) for spec in specs},
        },
    }


class _Shared:
    """Parameters that several OPs have, each once: most are of every OP, and would be nine tenths of the schema."""

    def __init__(self, specs: Sequence[OpSpec]) -> None:
        written = {(param.name, _text(param)): _param_schema(param) for spec in specs for param in spec.params}
        counts = Counter((param.name, _text(param)) for spec in specs for param in spec.params)
        self.schemas: dict[str, Any] = {}
        self._places: dict[tuple[str, str], str] = {}
        for known, count in counts.items():
            if count < 2:
                continue
            others = sum(1 for name, _ in self._places if name == known[0])
            place = f"parameter.{known[0]}" + (f".{others + 1}" if others else "")
            self._places[known] = place
            self.schemas[place] = written[known]

    def schema(self, param: Param) -> dict[str, Any]:
        """Return the schema of a parameter, or where it stands."""
        place = self._places.get((param.name, _text(param)))
        return _param_schema(param) if place is None else {"$ref": f"#/$defs/{place}"}


def _text(param: Param) -> str:
    return json.dumps(_param_schema(param), sort_keys=True)


def _key_schema(key: Key) -> dict[str, Any]:
    doc = key.doc
    if key.treatment == REFUSED:
        return {"const": key.default, "description": f"{doc} Cannot be used here: {key.reason}."}
    if key.treatment == NO_EFFECT:
        doc = f"{doc} Has no effect: {key.reason}."
    schema = _value_schema(key.param, doc)
    if key.choices:
        schema = {"enum": list(key.choices), "description": doc, "default": key.default}
    if key.is_size:
        size = {"type": "string", "pattern": r"^\s*[0-9]+(\.[0-9]+)?\s*([kKmMgGtT][iI]?)?[bB]?\s*$"}
        schema["anyOf"].insert(1, size)
    return schema


def _group_schema(group: str) -> dict[str, Any]:
    prefix = f"{group}."
    inner = {name.removeprefix(prefix): _key_schema(key) for name, key in KEYS.items() if name.startswith(prefix)}
    return {"type": "object", "properties": inner, "additionalProperties": False}


def _op_schema(spec: OpSpec, shared: _Shared) -> dict[str, Any]:
    """Return the schema of an item of process: the name of the OP with its parameters."""
    required = _required(spec)
    parameters: dict[str, Any] = {
        "type": "object" if required else ["object", "null"],
        "properties": {param.name: shared.schema(param) for param in spec.params},
        "additionalProperties": False,
    }
    if issubclass(spec.cls, Fused):
        members = {"type": ["array", "null"], "items": {"$ref": "#/properties/process/items"}}
        docs = {param.name: param.doc for param in spec.params if param.name in spec.cls.member_lists}
        parameters["properties"].update({name: {"description": doc, **members} for name, doc in docs.items()})
    if required:
        parameters["required"] = required
    return {
        "title": spec.name,
        "description": f"{spec.summary}\n\n{spec.description}".strip(),
        "type": "object",
        "properties": {spec.name: parameters},
        "required": [spec.name],
        "additionalProperties": False,
    }


def _required(spec: OpSpec) -> list[str]:
    return [param.name for param in spec.params if param.default is MISSING]


def _param_schema(param: Param) -> dict[str, Any]:
    doc = f"{param.doc} Unit: {param.unit}." if param.unit else param.doc
    if param.refused:
        return {"const": param.default, "description": f"{doc} Cannot be used here: {param.refused}."}
    if param.no_effect:
        doc = f"{doc} Has no effect: {param.no_effect}."
    if param.choices:
        return {"enum": list(param.choices), "description": doc, "default": param.default}
    return _value_schema(param, doc)


def _value_schema(param: Param, doc: str) -> dict[str, Any]:
    """Return the schema of the declared type; every value but a text may also be an environment variable."""
    members = [_member_schema(member, param) for member in param.type.split(" | ")]
    members += [{"enum": list(param.words)}] * bool(param.words)
    if not any(member.get("type") == "string" for member in members):
        members.append({"$ref": "#/$defs/interpolation"})
    schema: dict[str, Any] = {"description": doc, "anyOf": members}
    if param.default is not MISSING:
        schema["default"] = param.default
    return schema


def _member_schema(member: str, param: Param) -> dict[str, Any]:
    if member == "any":
        return {}
    if member.startswith("list["):
        return {"type": "array", "items": _member_schema(member[5:-1], param)}
    schema: dict[str, Any] = {"type": _TYPES[member]}
    if member in ("int", "float"):
        if param.ge is not None:
            schema["minimum"] = param.ge
        if param.le is not None:
            schema["maximum"] = param.le
    return schema
