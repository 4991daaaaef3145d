"""``djfast ops list`` and ``djfast ops show NAME``: everything that is declared about OPs."""

from __future__ import annotations

import argparse
import json
import os
import sys

from djfast import catalog
from djfast.cli.main import EXIT_FAILED
from djfast.declare import MISSING, OpSpec, Param, spoken_choices, spoken_number

KINDS = ("mapper", "filter", "deduplicator", "selector", "grouper", "aggregator", "fused")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="list|show")
    listing = actions.add_parser("list", help="list OPs")
    listing.add_argument("word", nargs="?", default="", help="only those with it in their name or summary")
    listing.add_argument("--kind", choices=KINDS, help="only those of one kind")
    listing.add_argument("-v", "--verbose", action="store_true", help="also what each OP writes and needs")
    showing = actions.add_parser("show", help="show one OP: meaning, parameters, examples")
    showing.add_argument("name")
    for action in (listing, showing):
        action.add_argument("--json", action="store_true", help="print JSON")
        action.add_argument("--custom", action="append", default=[], metavar="FILE", help="file with OPs of your own; it is run")


def main(options: argparse.Namespace, rest: list[str]) -> int:
    """Print the list or the OP."""
    if options.custom:
        from djfast.custom.files import load_files

        load_files(options.custom)
    if options.action == "list":
        found = chosen(options.word, options.kind)
        print("\n".join(json_list(found) if options.json else table(found, is_long=options.verbose)))
        return 0 if found else EXIT_FAILED
    spec = catalog.find(options.name)
    print(json.dumps(record(spec), indent=2, ensure_ascii=False) if options.json else "\n".join(described(spec)))
    return 0


def chosen(word: str, kind: str | None) -> list[OpSpec]:
    """Return the OPs of a kind with a word in their name, their summary or what they write, by kind and name."""
    specs = [
        spec
        for spec in catalog.all_specs()
        if kind in (None, spec.kind) and word.lower() in f"{spec.name} {spec.summary} {' '.join(_written(spec))}".lower()
    ]
    return sorted(specs, key=lambda spec: (KINDS.index(spec.kind), spec.name))


def json_list(specs: list[OpSpec]) -> list[str]:
    """Return the OPs as JSON."""
    entries = [{"name": s.name, "kind": s.kind, "summary": s.summary, "writes": _written(s), "needs": _needs(s)} for s in specs]
    return [json.dumps(entries, indent=2, ensure_ascii=False)]


def table(specs: list[OpSpec], *, is_long: bool = False) -> list[str]:
    """Return a line an OP, cut to the width of a terminal; what it writes and needs follows if this is long."""
    width = max((len(spec.name) for spec in specs), default=0)
    columns = os.get_terminal_size().columns if sys.stdout.isatty() else None
    lines = []
    for spec in specs:
        line = f"{spec.name:<{width}}  {spec.kind:<12}  {spec.summary}"
        lines.append(line if columns is None or len(line) <= columns else f"{line[: columns - 1]}\u2026")
        lines += _effects(spec) if is_long else []
    return lines or ["no OP is like this"]


def _effects(spec: OpSpec) -> list[str]:
    """Return lines on what an OP writes and needs, as it is by default."""
    lines = [f"  writes  {', '.join(_written(spec))}"] if _written(spec) else []
    return lines + [f"  needs   {need}" for need in _needs(spec)]


def _written(spec: OpSpec) -> list[str]:
    from djfast.plan.effects import written_by

    return written_by(spec)


def _needs(spec: OpSpec) -> list[str]:
    from djfast.plan.effects import needed_by

    return needed_by(spec).lines()


def record(spec: OpSpec) -> dict[str, object]:
    """Return an OP's declaration as JSON data."""
    return {
        "name": spec.name,
        "kind": spec.kind,
        "summary": spec.summary,
        "description": spec.description,
        "source": spec.source,
        "writes": _written(spec),
        "needs": _needs(spec),
        "params": [
            {
                "name": p.name,
                "type": p.type,
                "doc": p.doc,
                "default": None if p.default is MISSING else p.default,
                "unit": p.unit,
                "minimum": p.ge,
                "maximum": p.le,
                "choices": list(p.choices),
                "common": p.common,
            }
            for p in spec.params
        ],
        "examples": [{"rows": e.rows, "params": e.params, "expect": e.expect, "says": list(e.says)} for e in spec.examples],
    }


def described(spec: OpSpec) -> list[str]:
    """Return an OP's page for the terminal."""
    lines = [f"{spec.name} ({spec.kind})", f"  {spec.summary}"]
    if spec.description:
        lines += ["", *(f"  {line}" for line in spec.description.splitlines())]
    lines += ["", *effects] if (effects := _effects(spec)) else []
    lines += ["", "parameters"]
    lines += [line for p in spec.own_params for line in _param_lines(p)]
    common = ", ".join(p.name for p in spec.params if p.common and not p.no_effect and not p.refused)
    lines += [f"  also: {common}"]
    for example in spec.examples:
        lines += ["", f"example {example.params or ''}".rstrip()]
        lines += [f"  in   {json.dumps(row, ensure_ascii=False)}" for row in example.rows]
        lines += [f"  model says {json.dumps(answer, ensure_ascii=False)}" for answer in example.says]
        lines += [f"  out  {json.dumps(row, ensure_ascii=False)}" for row in example.expect]
    if spec.source:
        lines += ["", f"source: {spec.source}"]
    return lines


def _param_lines(p: Param) -> list[str]:
    default = "required" if p.default is MISSING else f"default {json.dumps(p.default, ensure_ascii=False)}"
    facts = [p.type_words, default]
    facts += [f"unit {p.unit}"] if p.unit else []
    facts += [f">= {spoken_number(p.ge)}"] if p.ge is not None else []
    facts += [f"<= {spoken_number(p.le)}"] if p.le is not None else []
    facts += ["one of " + spoken_choices(p.choices)] if p.choices else []
    facts += [f"cannot be set here: {p.refused}"] if p.refused else []
    facts += [f"no effect: {p.no_effect}"] if p.no_effect else []
    return [f"  {p.name}: {'; '.join(facts)}", f"      {p.doc}"]
