"""Write docs/ops, docs/recipe.md and src/djfast/ops/__init__.pyi from declarations of OPs and keys, docs/gallery.md from recipes.

python docs/generate.py          # writes
python docs/generate.py --check  # fails when a page is not up to date
"""

from __future__ import annotations

import json
import sys
from collections import defaultdict
from collections.abc import Iterator
from inspect import getsource
from itertools import groupby
from pathlib import Path

from djfast import catalog
from djfast.cli.recipes import head_of, shipped
from djfast.declare import MISSING, Deduplicator, Filter, Grouper, Mapper, Op, OpSpec, Param, Selector, Surveyor
from djfast.expr import Expr
from djfast.ops import OPS, class_names
from djfast.plan.effects import needed_by, stats_and_tags_of
from djfast.recipe.keys import KEYS, NO_EFFECT, REFUSED, USED, Key

FOLDER = Path(__file__).resolve().parent / "ops"
RECIPE = FOLDER.parent / "recipe.md"
GALLERY = FOLDER.parent / "gallery.md"
STUB = FOLDER.parents[1] / "src" / "djfast" / "ops" / "__init__.pyi"
HEAD = "<!-- Written by docs/generate.py from the declarations in src/djfast/ops; do not edit. -->\n\n"
NO_LIMITS = (2**31 - 1, 2**63 - 1)  # the largest integers of 32 and 64 bits
GALLERY_HEAD = HEAD.replace("from the declarations in src/djfast/ops", "from the files in recipes/")
RECIPE_HEAD = HEAD.replace("src/djfast/ops", "src/djfast/recipe/keys.py")


def pages() -> dict[str, str]:
    """Text of every page, by file name."""
    topics: dict[str, list[OpSpec]] = defaultdict(list)
    for spec in catalog.all_specs():
        topics[spec.cls.__module__.removeprefix("djfast.ops.")].append(spec)
    written = {f"{topic.replace('.', '-')}.md": _page(topic, specs) for topic, specs in sorted(topics.items())}
    written["README.md"] = HEAD + "\n".join([*_table_of_ops(topics), "", *INPUT_RULES, "", *_shared_params()]) + "\n"
    return written


def _table_of_ops(topics: dict[str, list[OpSpec]]) -> list[str]:
    """Lines of the table with every OP, by name."""
    lines = [
        "# Operators",
        "",
        "Stats stand in `__dj__stats__` of a row, tags in `__dj__meta__`.",
        "",
        "| OP | kind | what it does | stats and tags it writes |",
        "| --- | --- | --- | --- |",
    ]
    found = [(spec, f"{topic.replace('.', '-')}.md") for topic, specs in topics.items() for spec in specs]
    for spec, page in sorted(found, key=lambda each: each[0].name):
        names = ", ".join(f"`{name}`" for name in stats_and_tags_of(spec))
        lines.append(f"| [`{spec.name}`]({page}#{spec.name}) | {spec.kind} | {spec.summary.replace('|', '&#124;')} | {names} |")
    return lines


def _shared_params() -> list[str]:
    """Lines of the section on the parameters that every OP has."""
    lines = [
        "## Parameters of every OP",
        "",
        "Filters also have `min_closed_interval`, `max_closed_interval`, `reversed_range` and `stats_export_path`; "
        "`djfast ops show NAME` names all that an OP has.",
        "",
        *PARAM_TABLE,
    ]
    return lines + [_param_row(param) for param in Op._params]


def recipe_page() -> str:
    """Text of the page of a recipe's keys."""
    used = [key for key in KEYS.values() if key.treatment == USED]
    lines = [
        "# Recipes",
        "",
        "Every key of a recipe, with the type and the default that djfast checks. A dot stands for nesting: `checkpoint.n_ops` "
        "is also `checkpoint: {n_ops: ...}`. On the command line `--set KEY=VALUE` and `--KEY VALUE` replace what the recipe "
        "says; in Python it is an argument of `djfast.run`. A key that is not here is an error, which names the closest one.",
        "",
        "| key | type | default | meaning |",
        "| --- | --- | --- | --- |",
        *(f"| {_key_cells(key)} | {_key_meaning(key)} |" for key in used),
    ]
    for treatment, title, told in _WITHOUT_USE:
        lines += ["", f"## {title}", "", told, "", "| key | type | default | meaning | why |", "| --- | --- | --- | --- | --- |"]
        lines += [
            f"| {_key_cells(key)} | {_key_meaning(key)} | {key.reason} |" for key in KEYS.values() if key.treatment == treatment
        ]
    return RECIPE_HEAD + "\n".join(lines) + "\n"


_WITHOUT_USE = (
    (NO_EFFECT, "Keys without effect", "Recipes of Data-Juicer may set them; the rows are the same, and a notice says why."),
    (REFUSED, "Refused keys", "Another value than the default is an error: the run would not give what the recipe asks for."),
)


def _key_cells(key: Key) -> str:
    default = json.dumps(key.default, ensure_ascii=False).replace("|", "&#124;")
    shown = f"<code>{default}</code>" if "&#124;" in default else f"`{default}`"
    return f"`{key.name}` | {key.param.type_words} | {shown}"


def _key_meaning(key: Key) -> str:
    facts = [key.doc]
    facts += _limits(key.ge, key.le)
    facts += [f"One of {_choices(key.choices)}."] if key.choices else []
    facts += [f"Not `{value}`: {reason}." for value, reason in key.refused_values.items()]
    return " ".join(facts).replace("|", "&#124;")


def _limits(least: float | None, most: float | None) -> list[str]:
    """Return the sentences on the range of a number."""
    said = [f"At least {least:,}."] if least is not None else []
    return said + ([f"At most {most:,}."] if most is not None and most not in NO_LIMITS else [])


def _choices(choices: tuple[object, ...]) -> str:
    """Return allowed values as JSON, so that null is no string and every string has quotes."""
    return ", ".join(f"`{json.dumps(choice, ensure_ascii=False)}`" for choice in choices)


PARAM_TABLE = ("| parameter | type | default | meaning |", "| --- | --- | --- | --- |")
INPUT_RULES = (
    "## Empty, null and over-long input",
    "",
    "- The empty text is a text; what each OP makes of it stands on its page.",
    "- A row in which a field that must be a string is missing, null or of another type is rejected with the reason, and no "
    "other row with it: `<result>.rejected.jsonl`.",
    "- Fields that an OP reads whatever their type may be missing or null; a value that it cannot use rejects the row.",
    "- Texts may be as long as a line of input, 256 MiB; a longer line is rejected alone. A row that an "
    "OP needs longer than `row_timeout` for is rejected, and the run goes on.",
    "- Stats and tags that a row brings along stand, and are not computed again.",
)


def _input(spec: OpSpec) -> str:
    """Say which fields an OP reads, and what they must hold."""
    if spec.kind == "fused":
        return "Input: what its OPs read."
    op = spec.cls(**(spec.examples[0].params if spec.examples else {}))
    if op.rewrite() is not None:
        return "Input: the row as a whole, with fields of any type. A row that it fails for is rejected."
    texts, fields = set(), set()
    for expr in _expressions(op):
        for leaf in _leaves(expr):
            (texts if leaf.fn == "col" else fields).add(str(leaf))
    texts -= set(op.stats()) if spec.kind == "filter" else set()
    said = []
    if texts:
        names = " and ".join(f"`{name}`" for name in sorted(texts))
        said.append(f"{names} must be a string: a row where it is missing, null or something else is rejected")
    if fields:
        said.append(f"{', '.join(f'`{name}`' for name in sorted(fields))} may be of any type, or missing")
    return f"Input: {'; '.join(said)}." if said else "Input: rows are not looked at."


def _needs(spec: OpSpec) -> list[str]:
    """Lines on the packages and models that an OP needs as it is by default."""
    needs = needed_by(spec).lines()
    return [f"Needs: {'; '.join(needs)}.", ""] if needs else []


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
    parts = [f"# {_title(topic)}", "", (module.__doc__ or "").strip(), ""]
    for spec in specs:
        parts += [f"## {spec.name}", "", f"*{spec.kind}.* {spec.summary}", "", spec.description, "", _input(spec), ""]
        parts += _needs(spec)
        if spec.own_params:
            parts += PARAM_TABLE
            parts += [_param_row(param) for param in spec.own_params]
            parts += [""]
        for example in spec.examples:
            parts += _example(spec, example)
        if spec.source:
            parts += [f"Source: {spec.source}", ""]
    return HEAD + "\n".join(parts).rstrip() + "\n"


def _title(topic: str) -> str:
    """Return the heading of a topic's page: `language_models.judging` becomes `Language models: judging`."""
    names = {"dedup": "deduplication", "html": "HTML", "latex": "LaTeX", "ray": "Ray", "chinese": "Chinese"}
    parts = [" ".join(names.get(word, word) for word in part.split("_")) for part in topic.split(".")]
    title = ": ".join(parts)
    return title[0].upper() + title[1:]


def _param_row(param: Param) -> str:
    default = "required" if param.default is MISSING else f"`{json.dumps(param.default, ensure_ascii=False)}`"
    facts = [param.doc]
    facts += [f"Unit: {param.unit}."] if param.unit else []
    facts += _limits(param.ge, param.le)
    facts += [f"One of {_choices(param.choices)}."] if param.choices else []
    facts += [f"Cannot be set here: {param.refused}."] if param.refused else []
    facts += [f"No effect: {param.no_effect}."] if param.no_effect else []
    return f"| `{param.name}` | {param.type_words} | {default} | {' '.join(facts).replace('|', '&#124;')} |"


def _example(spec: OpSpec, example: object) -> list[str]:
    given = f" with `{json.dumps(example.params, ensure_ascii=False)}`" if example.params else ""  # type: ignore[attr-defined]
    rows = "\n".join(json.dumps(row, ensure_ascii=False) for row in example.rows)  # type: ignore[attr-defined]
    expect = "\n".join(json.dumps(row, ensure_ascii=False) for row in example.expect)  # type: ignore[attr-defined]
    says = [answer for text in example.says for answer in ("```text", text, "```")]  # type: ignore[attr-defined]
    said = ["where the model says", "", *says, ""] if says else []
    return [f"Example{given}:", "", "```json", rows, "```", *said, "gives", "", "```json", expect, "```", ""]


def gallery() -> str:
    """Text of the page with the recipes that come with djfast."""
    lines = [
        "# Gallery of recipes",
        "",
        "These recipes come with djfast. `djfast recipes list` lists them, `djfast recipes show NAME` prints one, and "
        "`djfast recipes copy NAME` copies it to your folder, where you change it. `djfast plan` shows what it would do with "
        "your data, `djfast doctor` what it needs. [Every key](recipe.md) and [every OP](ops/README.md) has a page.",
        "",
        "| recipe | what it does |",
        "| --- | --- |",
        *(f"| [`{name}`](#{name}) | {head_of(path)[0]} |" for name, path in shipped().items()),
    ]
    for name, path in shipped().items():
        summary, *head = head_of(path)
        recipe = path.read_text(encoding="utf-8").splitlines()[len(head) + 1 :]
        lines += ["", f"## {name}", "", summary, *_with_commands(head, name), "", "```yaml", *recipe, "```"]
    return GALLERY_HEAD + "\n".join(lines) + "\n"


def _with_commands(head: list[str], name: str) -> list[str]:
    """Return the lines of a recipe's comment as Markdown: its indented lines are commands, which work where the recipe is."""
    lines = []
    for indented, block in groupby(head, key=lambda line: line.startswith("  ")):
        if indented:
            lines += ["```console", f"$ djfast recipes copy {name}", *(f"$ {line.strip()}" for line in block), "```"]
        else:
            lines += block
    return lines


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
    written = {FOLDER / name: text for name, text in pages().items()} | {RECIPE: recipe_page(), GALLERY: gallery(), STUB: stub()}
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
