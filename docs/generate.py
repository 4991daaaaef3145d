"""Write docs/ops, one page a topic, and src/djfast/ops/__init__.pyi, from the declarations of the OPs.

python docs/generate.py          # writes
python docs/generate.py --check  # fails when a page is not up to date
"""

from __future__ import annotations

import json
import sys
from collections import defaultdict
from collections.abc import Iterator
from inspect import getsource
from pathlib import Path

from djfast import catalog
from djfast.declare import MISSING, Deduplicator, Filter, Grouper, Mapper, Op, OpSpec, Param, Selector, Surveyor
from djfast.expr import Expr
from djfast.ops import OPS, class_names

FOLDER = Path(__file__).resolve().parent / "ops"
STUB = FOLDER.parents[1] / "src" / "djfast" / "ops" / "__init__.pyi"
HEAD = "<!-- Written by docs/generate.py from the declarations in src/djfast/ops; do not edit. -->\n\n"


def pages() -> dict[str, str]:
    """Text of every page, by file name."""
    topics: dict[str, list[OpSpec]] = defaultdict(list)
    for spec in catalog.all_specs():
        topics[spec.cls.__module__.removeprefix("djfast.ops.")].append(spec)
    written = {f"{topic.replace('.', '-')}.md": _page(topic, specs) for topic, specs in sorted(topics.items())}
    lines = ["# Operators", ""]
    for name, topic in zip(written, sorted(topics)):
        lines += [f"- [{topic}]({name}): " + ", ".join(f"`{spec.name}`" for spec in topics[topic])]
    written["README.md"] = HEAD + "\n".join([*lines, "", *INPUT_RULES]) + "\n"
    return written


INPUT_RULES = (
    "## Empty, null and over-long input",
    "",
    "- The empty text is a text; what each OP makes of it stands on its page.",
    "- A row in which a field that must be a text is missing, null or of another type is set aside with the reason, and no "
    "other row with it: `<result>.rejected.jsonl`.",
    "- Fields that an OP reads whatever their type may be missing or null; a value that it cannot use sets the row aside.",
    "- Texts may be as long as a line of input, 256 MiB; a longer line ends the run with its file named. A row that an "
    "OP needs longer than `row_timeout` for is rejected, and the run goes on.",
    "- Stats and tags that a row brings along stand, and are not computed again.",
)


def _input(spec: OpSpec) -> str:
    """Say which fields an OP reads, and what they must hold."""
    if spec.kind == "fused":
        return "Input: what its OPs read."
    op = spec.cls(**(spec.examples[0].params if spec.examples else {}))
    if op.rewrite() is not None:
        return "Input: the row as a whole, with fields of any type. A row that it fails for is set aside."
    texts, fields = set(), set()
    for expr in _expressions(op):
        for leaf in _leaves(expr):
            (texts if leaf.fn == "col" else fields).add(str(leaf))
    texts -= set(op.stats()) if spec.kind == "filter" else set()
    said = []
    if texts:
        names = " and ".join(f"`{name}`" for name in sorted(texts))
        said.append(f"{names} must be a text: a row where it is missing, null or something else is set aside")
    if fields:
        said.append(f"{', '.join(f'`{name}`' for name in sorted(fields))} may be of any type, or missing")
    return f"Input: {'; '.join(said)}." if said else "Input: rows are not looked at."


def _expressions(op: Op) -> list[Expr]:
    if isinstance(op, Filter):
        return [expr for expr in (*op.stats().values(), op.keep()) if expr is not None]
    if isinstance(op, Surveyor):
        return [op.survey().values, *op.assign().values()]
    if isinstance(op, Mapper):
        return [*op.assign().values(), *op.tags().values()]
    if isinstance(op, Deduplicator):
        return [op.key()]
    given = [op.group()] if isinstance(op, Grouper) else [op.keep(), op.values()] if isinstance(op, Selector) else []
    return [expr for expr in given if expr is not None]


def _leaves(expr: Expr) -> Iterator[Expr]:
    if expr.fn in ("col", "field"):
        yield expr
    for argument in expr.args:
        yield from _leaves(argument)


def _page(topic: str, specs: list[OpSpec]) -> str:
    module = sys.modules[specs[0].cls.__module__]
    parts = [f"# {topic}", "", (module.__doc__ or "").strip(), ""]
    for spec in specs:
        parts += [f"## {spec.name}", "", f"*{spec.kind}.* {spec.summary}", "", spec.description, "", _input(spec), ""]
        if spec.own_params:
            parts += ["| parameter | type | default | meaning |", "| --- | --- | --- | --- |"]
            parts += [_param_row(param) for param in spec.own_params]
            parts += [""]
        for example in spec.examples:
            parts += _example(spec, example)
        if spec.source:
            parts += [f"Source: {spec.source}", ""]
    return HEAD + "\n".join(parts).rstrip() + "\n"


def _param_row(param: Param) -> str:
    default = "required" if param.default is MISSING else f"`{json.dumps(param.default, ensure_ascii=False)}`"
    facts = [param.doc]
    facts += [f"Unit: {param.unit}."] if param.unit else []
    facts += [f"At least {param.ge:g}."] if param.ge is not None else []
    facts += [f"At most {param.le:g}."] if param.le is not None else []
    facts += ["One of " + ", ".join(f"`{c}`" for c in param.choices) + "."] if param.choices else []
    facts += [f"Cannot be set here: {param.refused}."] if param.refused else []
    facts += [f"No effect: {param.no_effect}."] if param.no_effect else []
    kind = param.type.replace("|", "or")
    return f"| `{param.name}` | {kind} | {default} | {' '.join(facts).replace('|', '&#124;')} |"


def _example(spec: OpSpec, example: object) -> list[str]:
    given = f" with `{json.dumps(example.params, ensure_ascii=False)}`" if example.params else ""  # type: ignore[attr-defined]
    rows = "\n".join(json.dumps(row, ensure_ascii=False) for row in example.rows)  # type: ignore[attr-defined]
    expect = "\n".join(json.dumps(row, ensure_ascii=False) for row in example.expect)  # type: ignore[attr-defined]
    says = [answer for text in example.says for answer in ("```text", text, "```")]  # type: ignore[attr-defined]
    said = ["where the model says", "", *says, ""] if says else []
    return [f"Example{given}:", "", "```json", rows, "```", *said, "gives", "", "```json", expect, "```", ""]


def stub() -> str:
    """Text of the stub that tells type checkers and editors the classes of OPs, which are imported when they are first used."""
    classes = sorted((module, name) for module, name in zip(OPS.values(), class_names()))
    imported = [(module, name) for module, name in classes if f"class {name}(" in getsource(sys.modules[module])]
    made = [(module, name) for module, name in classes if (module, name) not in imported]
    bases = {name: getattr(sys.modules[module], name).__base__ for module, name in made}
    imported += [(base.__module__, base.__name__) for base in set(bases.values())]
    lines = ["# Written by docs/generate.py from the declarations of the OPs; do not edit.", ""]
    lines += [f"from {module} import {name} as {name}" for module, name in sorted(imported)]
    lines += ["", *(f"class {name}({base.__name__}): ..." for name, base in bases.items())]
    return "\n".join([*lines, "", "OPS: dict[str, str]", "", "def class_names() -> list[str]: ...", ""])


def main() -> int:
    """Write or check the pages and the stub."""
    written = {FOLDER / name: text for name, text in pages().items()} | {STUB: stub()}
    if "--check" in sys.argv:
        stale = [path.name for path, text in written.items() if not _is_current(path, text)]
        if stale:
            print(f"not up to date: {', '.join(stale)}; run python docs/generate.py")
        return bool(stale)
    FOLDER.mkdir(exist_ok=True)
    for path, text in written.items():
        path.write_text(text, encoding="utf-8")
    return 0


def _is_current(path: Path, text: str) -> bool:
    return path.exists() and path.read_text(encoding="utf-8") == text


if __name__ == "__main__":
    sys.exit(main())
