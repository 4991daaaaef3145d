"""Figures of LaTeX sources."""

from __future__ import annotations

import time
from typing import Any

import pytest

import djfast
from djfast.errors import RecipeError
from djfast.functions import figures as module
from djfast.functions.figures import Figure, figures

FIGURE = r"\begin{figure}%s\end{figure}"
MINIPAGE = r"\begin{minipage}{.5\linewidth}%s\end{minipage}"


def _rows(row: dict[str, Any], **params: Any) -> list[dict[str, Any]]:
    [op] = djfast.load_ops([{"latex_figure_context_extractor_mapper": params}])
    return djfast.Dataset.from_list([row]).process(op).to_list()


@pytest.mark.parametrize(
    ("body", "found"),
    [
        (r"\includegraphics[w]{ a b.png }\caption*[s]{ A {\bf x} }\label{ l }", [Figure(["a b.png"], r"A {\bf x}", "l")]),
        (r"\includegraphics{a}\subcaption{sc}\caption{c}", [Figure(["a"], "c", "")]),
        (r"\includegraphics{a}\captionof{table}{t}\captionof{figure}{f}", [Figure(["a"], "f", "")]),
        (r"\includegraphics{a}\caption{un{closed \caption{S}", [Figure(["a"], "S", "")]),
        (r"\includegraphics{a}\caption{an \} escaped brace}", [Figure(["a"], r"an \} escaped brace", "")]),
        (r"\caption{no image}", []),
        (
            r"\subfigure[A]{\includegraphics{a}\label{l}}\subfloat{\includegraphics{b}\caption{in}}\caption{P}\label{p}",
            [Figure(["a"], "A", "l", "P", "p"), Figure(["b"], "", "", "P", "p")],
        ),
        (
            r"\begin{subfigure}[b]{1}\includegraphics{a}\caption{A}\end{subfigure}\begin{subfigure}{1}x\end{subfigure}"
            r"\includegraphics{outer}\caption{P}",
            [Figure(["a"], "A", "", "P", "")],
        ),
        (r"\subfloat[B]{\includegraphics{b}", [Figure(["b"], "", "")]),
        (MINIPAGE % r"\includegraphics{a}" + r"\caption{P}", [Figure(["a"], "P", "")]),
        (
            MINIPAGE % r"\includegraphics{a}\caption{A}\label{l}" + MINIPAGE % r"\includegraphics{b}\captionof{table}{T}",
            [Figure(["a"], "A", "l")],
        ),
    ],
)
def test_figures_are_found_as_in_data_juicer(body: str, found: list[Figure]) -> None:
    assert figures(FIGURE % body) == found


def test_figures_come_in_the_order_of_the_source() -> None:
    source = r"\begin{wrapfigure}{r}{1}\includegraphics{w}\end{wrapfigure}" + FIGURE % r"\includegraphics{图}"
    assert [figure.images for figure in figures(source)] == [["w"], ["图"]]
    assert figures(r"\begin{SCfigure}\includegraphics{b}\end{SCfigure}\begin{figure}\includegraphics{b}") == []


@pytest.mark.parametrize(
    ("reference", "is_cited"),
    [
        (r"\ref{x}", True), (r"\cref{y, x}", True), (r"\Cref{x ,y}", True), (r"\autoref{y,x }", True),
        (r"\cref{ x}", False), (r"\ref{xx}", False), (r"\refx{x}", False), (r"\ref {x}", False), (r"\eqref{x}", False),
        (r"\begin{equation}\ref{x}\end{equation}", False), (r"\begin{table*}\ref{x}\end{table*}", False),
        (r"\begin{itemize}\ref{x}\end{itemize}", True), (r"\begin{verbatim}\ref{x}", True),
    ],
)  # fmt: skip
def test_paragraphs_that_refer_to_a_figure_go_with_it(reference: str, is_cited: bool) -> None:
    text = f"one\n\n  {reference} two \n\n" + FIGURE % r"\includegraphics{a}\label{x}"
    [row] = _rows({"text": text})
    assert row["citing_paragraphs"] == ([f"{reference} two"] if is_cited else [])


def test_paragraphs_of_the_whole_figure_come_first_and_each_once() -> None:
    figure = FIGURE % r"\subfloat[A]{\includegraphics{a}\label{a}}\label{p}"
    [row] = _rows({"text": rf"\ref{{a}}|\ref{{p}}|\ref{{a}} \ref{{p}}|{figure}"}, paragraph_separator="|")
    assert row["citing_paragraphs"] == [r"\ref{p}", r"\ref{a} \ref{p}", r"\ref{a}"]


def test_commands_and_fields_can_be_named() -> None:
    text = "\\cite{x}\n\n\\ref{x}\n\n" + FIGURE % r"\includegraphics{a}\label{x}"
    [row] = _rows({"text": text, "id": 1}, citation_commands=["cite"], context_key="said", image_key="pics", label_key="text")
    assert row == {
        "text": "x", "id": 1, "pics": ["a"], "caption": "", "said": [r"\cite{x}"], "parent_caption": "", "parent_label": "",
    }  # fmt: skip
    assert _rows({"text": text}, citation_commands=[])[0]["citing_paragraphs"] == []


def test_a_row_without_figures_is_dropped_and_one_without_a_text_set_aside() -> None:
    [op] = djfast.load_ops(["latex_figure_context_extractor_mapper"])
    dataset = djfast.Dataset.from_list([{"text": ""}, {"text": "x"}, {"text": None}]).process(op)
    assert dataset.to_list() == []
    assert [bad.line for bad in dataset.rejected] == [3]


def test_an_empty_separator_is_refused() -> None:
    with pytest.raises(RecipeError, match="paragraph_separator must not be empty"):
        djfast.load_ops([{"latex_figure_context_extractor_mapper": {"paragraph_separator": ""}}])


@pytest.mark.parametrize(
    "source",
    [
        r"\begin{figure}" * 20_000,
        FIGURE % (r"\includegraphics[" * 5_000),
        FIGURE % (r"\caption{" * 20_000),
        FIGURE % (r"\subfloat[a]{" * 20_000),
        FIGURE % (r"\begin{subfigure}" * 10_000),
        (FIGURE % r"\includegraphics{a}\label{x}") * 300 + r"\begin{table}\ref{x}" * 20_000,
    ],
)
def test_the_time_grows_with_the_source_alone(source: str) -> None:
    started = time.process_time()
    _rows({"text": source})
    assert time.process_time() - started < 5


def test_figures_do_not_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MOST_CHARACTERS", 1000)
    [op] = djfast.load_ops(["latex_figure_context_extractor_mapper"])
    dataset = djfast.Dataset.from_list([{"text": FIGURE % r"\includegraphics{a}" * 10}]).process(op)
    assert dataset.to_list() == []
    assert dataset.rejected[0].reason == "ValueError: 10 figures would repeat their source in more than 1000 characters"
