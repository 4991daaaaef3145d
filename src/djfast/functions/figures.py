r"""Figures of LaTeX sources, with what is said of them.

Sources are scanned, not parsed, each environment once from its ``\begin`` to the next ``\end`` of the same name, so that the
time grows with the length of the source alone.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence

from djfast.functions.rows import Row, path_of, text_at
from djfast.records import NamedTuple

_MOST_CHARACTERS = 500_000_000  # of the rows of one source: each holds it

# Arguments are looked for in so many characters, lest every command searches a long source that closes none.
_OPTION = r"(?:\[([^\]]{0,5000})\])?"
_ARGUMENT = r"\{([^}]{1,5000})\}"
_IMAGE = re.compile(rf"\\includegraphics{_OPTION}{_ARGUMENT}")
_LABEL = re.compile(rf"\\label{_ARGUMENT}")
_CAPTIONS = [re.compile(start + _OPTION + r"\{") for start in (r"\\caption\*?", r"\\subcaption\*?", r"\\captionof\{figure\}")]
_SUBFIGURE_COMMAND = re.compile(rf"\\(?:subfigure|subfloat){_OPTION}\{{")
_BRACE = re.compile(r"\\.|[{}]", re.DOTALL)

_FIGURES = ("figure", "figure*", "wrapfigure")
_SUBFIGURES = ("subfigure", "subfigure*")
_STARRED = ("figure", "table", "tabular", "equation", "align", "alignat", "gather", "multline", "flalign", "algorithm")
_NO_PARAGRAPHS = (
    *_STARRED, *(f"{name}*" for name in _STARRED), "wrapfigure", "lstlisting", "verbatim", "minted",
)  # fmt: skip


class Figure(NamedTuple):
    """One figure or sub-figure."""

    images: list[str]
    caption: str
    label: str
    parent_caption: str = ""
    parent_label: str = ""


class _Part(NamedTuple):
    """A piece of a source: where it begins and ends, and what is inside."""

    start: int
    end: int
    body: str
    caption: str | None = None  # None: it is in the body


def bind_figure_rows(
    text_key: str, commands: Sequence[str], separator: str, fields: Sequence[str]
) -> Callable[[Row], list[Row]]:
    """Return the function from a row with a source to one row for each of its figures.

    Parameters
    ----------
    commands : sequence of str
        Commands that refer to labels, with or without their backslash.
    separator : str
        What stands between paragraphs.
    fields : sequence of str
        Where to write images, caption, label, paragraphs, and caption and label of the whole figure.
    """
    names = "|".join(re.escape(command.lstrip("\\")) for command in commands)
    reference = re.compile(rf"\\(?:{names}){_ARGUMENT}") if commands else None

    def figure_rows(row: Row) -> list[Row]:
        text = text_at(row, path_of(row, text_key))
        found = figures(text)
        if len(found) * len(text) > _MOST_CHARACTERS:
            raise ValueError(f"{len(found)} figures would repeat their source in more than {_MOST_CHARACTERS} characters")
        cited = _citations(text, reference, separator) if found and reference is not None else {}
        rows = []
        for figure in found:
            paragraphs = cited.get(figure.label, [])
            if figure.parent_label:
                paragraphs = list(dict.fromkeys([*cited.get(figure.parent_label, []), *paragraphs]))
            values = (figure.images, figure.caption, figure.label, paragraphs, figure.parent_caption, figure.parent_label)
            rows.append({**row, **dict(zip(fields, values))})
        return rows

    return figure_rows


def figures(source: str) -> list[Figure]:
    """Return the figures of a source that have images, in its order."""
    found: list[Figure] = []
    for part in _environments(source, _FIGURES):
        found += _figures_of(part.body)
    return [figure for figure in found if figure.images]


def _figures_of(body: str) -> list[Figure]:
    """Return the figures that a figure environment stands for."""
    parts = [*_environments(body, _SUBFIGURES), *_subfigure_commands(body)]
    if parts:
        outside = _without(body, parts)
        return [_figure(part, _caption(outside), _label(outside)) for part in parts]
    minipages = list(_environments(body, ("minipage",)))
    if len(minipages) > 1:
        return [_figure(part) for part in minipages if "\\captionof{table}" not in part.body]
    return [_figure(_Part(0, len(body), body))]


def _figure(part: _Part, parent_caption: str = "", parent_label: str = "") -> Figure:
    images = [path.strip() for _, path in _IMAGE.findall(part.body)]
    caption = _caption(part.body) if part.caption is None else part.caption
    return Figure(images, caption, _label(part.body), parent_caption, parent_label)


def _environments(source: str, names: Sequence[str]) -> Iterator[_Part]:
    """Yield the environments with these names, none inside another."""
    begin = re.compile(r"\\begin\{(" + "|".join(map(re.escape, names)) + r")\}")
    endless: set[str] = set()  # names with no end behind the position
    position = 0
    while (opened := begin.search(source, position)) is not None:
        name = opened[1]
        closing = f"\\end{{{name}}}"
        end = -1 if name in endless else source.find(closing, opened.end())
        if end < 0:
            endless.add(name)
            position = opened.end()
            continue
        position = end + len(closing)
        yield _Part(opened.start(), position, source[opened.end() : end])


def _subfigure_commands(source: str) -> Iterator[_Part]:
    """Yield the sub-figures that are commands, none inside another."""
    if "\\subf" not in source:
        return
    closing = _closing_braces(source)
    position = 0
    while (opened := _SUBFIGURE_COMMAND.search(source, position)) is not None:
        end = closing.get(opened.end() - 1)
        if end is None:
            position = opened.end()
            continue
        position = end + 1
        yield _Part(opened.start(), position, source[opened.end() : end], (opened[1] or "").strip())


def _caption(source: str) -> str:
    """Return the first caption, the empty text if there is none."""
    closing: dict[int, int] | None = None
    for pattern in _CAPTIONS:
        for opened in pattern.finditer(source):
            closing = _closing_braces(source) if closing is None else closing
            end = closing.get(opened.end() - 1)
            if end is not None:
                return source[opened.end() : end].strip()
    return ""


def _label(source: str) -> str:
    found = _LABEL.search(source)
    return found[1].strip() if found else ""


def _closing_braces(source: str) -> dict[int, int]:
    """Return for each opening brace that is closed where that is."""
    closing: dict[int, int] = {}
    opened: list[int] = []
    for brace in _BRACE.finditer(source):
        if brace[0] == "{":
            opened.append(brace.start())
        elif brace[0] == "}" and opened:
            closing[opened.pop()] = brace.start()
    return closing


def _without(source: str, parts: Sequence[_Part]) -> str:
    """Return a source without some parts, which may lie in each other."""
    kept = []
    position = 0
    for part in sorted(parts):
        if part.start > position:
            kept.append(source[position : part.start])
        position = max(position, part.end)
    return "".join([*kept, source[position:]])


def _citations(source: str, reference: re.Pattern[str], separator: str) -> Mapping[str, list[str]]:
    """Return for each label the paragraphs that refer to it."""
    prose = _without(source, list(_environments(source, _NO_PARAGRAPHS)))
    cited: dict[str, list[str]] = {}
    for paragraph in map(str.strip, prose.split(separator)):
        labels: dict[str, None] = {}
        for listed in reference.findall(paragraph):
            first, *others = listed.split(",")
            labels.update(dict.fromkeys([first.rstrip(), *map(str.strip, others)]))  # LaTeX forgives blanks behind commas only
        for label in labels:
            if label:
                cited.setdefault(label, []).append(paragraph)
    return cited
