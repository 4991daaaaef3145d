"""Functions written in Python over libraries: an index that loads none of them."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from djfast.errors import InternalError, MissingExtraError


class Requirement(NamedTuple):
    """A package that a function needs."""

    module: str  # as imported
    package: str  # as installed
    extra: str | None  # the djfast extra that brings it; None is a dependency of djfast itself


class PythonFunction(NamedTuple):
    """A function of one row; the native registry's `FunctionSpec`, for Python.

    ``bind_NAME(**params)`` in `module` returns the callable. Its arguments are the inputs of one row; an exception it
    raises rejects that row alone. One with `batched` takes all rows of a batch at once, each argument a list, and returns a
    list in which an exception stands for a row to reject. A function of ``row`` rewrites rows (`Op.rewrite`).
    """

    name: str
    module: str
    inputs: tuple[str, ...]
    output: str
    requires: tuple[Requirement, ...]
    summary: str
    batched: bool = False
    surveyed: bool = False  # gets a set of what is `frequent` among all rows (`declare.Survey`)


_SENTENCEPIECE = Requirement("sentencepiece", "sentencepiece>=0.2", "models")
_KENLM = Requirement("kenlm", "kenlm>=0.2", "models")
_TOKENIZERS = Requirement("tokenizers", "tokenizers>=0.20", "models")
_REGEX = Requirement("regex", "regex>=2024.4", None)
_SELECTOLAX = Requirement("selectolax", "selectolax>=1.0,<1.1", "html")
_OPENCC = Requirement("opencc", "opencc>=1.1.9,<1.2", "chinese")
_NLTK = Requirement("nltk", "nltk>=3.10", "sentences")
_FTFY = Requirement("ftfy", "ftfy>=6.3,<6.4", None)

PYTHON_FUNCTIONS: dict[str, PythonFunction] = {
    function.name: function
    for function in (
        PythonFunction("sentencepiece_pieces", "djfast.functions.tokenization", ("text",), "text_list",
                       (_SENTENCEPIECE,), "The pieces that a sentencepiece model cuts a text into."),
        PythonFunction("hf_token_count", "djfast.functions.tokenization", ("text",), "int64",
                       (_TOKENIZERS,), "Tokens of a Hugging Face tokenizer, without special tokens."),
        PythonFunction("perplexity", "djfast.functions.perplexity", ("text",), "double",
                       (_SENTENCEPIECE, _KENLM), "Perplexity per piece under a KenLM model, to one decimal."),
        PythonFunction("regex_replace", "djfast.functions.replace", ("text",), "text",
                       (_REGEX,), "Every match of a pattern replaced by a template."),
        PythonFunction("regex_remove", "djfast.functions.replace", ("text",), "text",
                       (_REGEX,), "The text without the matches of a pattern."),
        PythonFunction("html_text", "djfast.functions.html", ("text",), "text",
                       (_SELECTOLAX,), "The text nodes of HTML, one after the other."),
        PythonFunction("convert_chinese", "djfast.functions.chinese", ("text",), "text",
                       (_OPENCC,), "A Chinese text in another script."),
        PythonFunction("sentence_lines", "djfast.functions.sentences", ("text",), "text",
                       (_NLTK,), "The sentences of a text, joined by line feeds."),
        PythonFunction("ftfy_lines", "djfast.functions.repair", ("text_list",), "text_list",
                       (_FTFY,), "Each line repaired by ftfy."),
        PythonFunction("ftfy_text", "djfast.functions.repair", ("text",), "text",
                       (_FTFY,), "The text repaired by ftfy."),
        PythonFunction("is_one_of", "djfast.functions.membership", ("text",), "boolean",
                       (), "Whether a field, given as JSON, is one of some values."),
        PythonFunction("without_frequent_lines", "djfast.functions.lines", ("text", "number_list"), "text",
                       (), "The text without the lines that are frequent among all rows.", surveyed=True),
        PythonFunction("text_group_key", "djfast.functions.grouping", ("text",), "json",
                       (), "A text as the key of a group."),
        PythonFunction("group_key", "djfast.functions.grouping", ("json",), "json",
                       (), "The values at some paths as the key of a group."),
        PythonFunction("ungrouped_rows", "djfast.functions.grouping", ("row",), "rows",
                       (), "The rows that a row of lists stands for."),
        PythonFunction("custom_mapper_of_rows", "djfast.functions.custom", ("row",), "rows",
                       (), "The row as a user's function leaves it."),
        PythonFunction("custom_filter_of_rows", "djfast.functions.custom", ("row",), "rows",
                       (), "The row, and whether a user's function keeps it."),
        PythonFunction("custom_mapper_of_batches", "djfast.functions.custom", ("row",), "rows",
                       (), "The rows as a user's function leaves them.", batched=True),
        PythonFunction("custom_filter_of_batches", "djfast.functions.custom", ("row",), "rows",
                       (), "The rows, and whether a user's function keeps them.", batched=True),
        PythonFunction("adapted_mapper", "djfast.functions.custom", ("row",), "rows",
                       (), "The row as a mapper written for Data-Juicer leaves it."),
        PythonFunction("adapted_filter", "djfast.functions.custom", ("row",), "rows",
                       (), "The row, and whether a filter written for Data-Juicer keeps it."),
        PythonFunction("calibrated", "djfast.functions.calibration", ("text", "json", "json"), "json",
                       (), "The corrected question and answer, by a language model.", batched=True),
        PythonFunction("optimized", "djfast.functions.rewriting", ("json", "json"), "json",
                       (), "The better question and answer, by a language model.", batched=True),
        PythonFunction("worse_answer", "djfast.functions.rewriting", ("json", "json", "json"), "json",
                       (), "A worse answer and why it is worse, by a language model.", batched=True),
        PythonFunction("rows_with_new_prompts", "djfast.functions.rewriting", ("row",), "rows",
                       (), "The row, and rows with prompts that a language model wrote after it.", batched=True),
        PythonFunction("rows_of_generated_pairs", "djfast.functions.generation", ("row",), "rows",
                       (), "A row for each question and answer that a language model wrote about the text.", batched=True),
        PythonFunction("row_of_generated_dialog", "djfast.functions.generation", ("row",), "rows",
                       (), "The row with a dialogue that a language model wrote after examples.", batched=True),
        PythonFunction("generated_response", "djfast.functions.generation", ("json",), "json",
                       (), "The answer of a language model to a query.", batched=True),
        PythonFunction("annotated_preference", "djfast.functions.annotation", ("json", "json", "json"), "json",
                       (), "Which of two answers people prefer, by Label Studio.", batched=True),
        PythonFunction("user_lambda", "djfast.functions.user_code", ("row",), "rows",
                       (), "The row as a lambda of the recipe leaves it."),
        PythonFunction("user_lambda_batch", "djfast.functions.user_code", ("row",), "rows",
                       (), "The rows as a lambda of the recipe leaves them.", batched=True),
        PythonFunction("user_file", "djfast.functions.user_code", ("row",), "rows",
                       (), "The row as a function in a file leaves it."),
        PythonFunction("user_file_batch", "djfast.functions.user_code", ("row",), "rows",
                       (), "The rows as a function in a file leaves them.", batched=True),
    )
}  # fmt: skip


def bind(name: str, params: Mapping[str, Any]) -> Callable[..., Any]:
    """Import a function's module and return the callable for these parameters.

    Raises
    ------
    MissingExtraError
        If a package that it needs is not installed.
    """
    absent = missing([name])
    if absent:
        raise MissingExtraError(install_message(absent))
    module = importlib.import_module(PYTHON_FUNCTIONS[name].module)
    bound: Callable[..., Any] = getattr(module, f"bind_{name}")(**params)
    return bound


def signature(name: str) -> tuple[str, bool]:
    """Return the output type of a function, and whether it is native.

    Raises
    ------
    InternalError
        If there is no such function: an OP asks for something that was never written.
    """
    if name in PYTHON_FUNCTIONS:
        return PYTHON_FUNCTIONS[name].output, False
    from djfast import _native

    declared = _native.functions().get(name)
    if declared is None:
        raise InternalError(f"an OP uses the function {name!r}, which does not exist")
    return str(declared["output"]), True


def skips_empty_lists(name: str) -> bool:
    """Tell whether a function of a list gives the empty list for an empty list, so that it need not be called."""
    return PYTHON_FUNCTIONS[name].inputs == ("text_list",)


def takes_batches(name: str) -> bool:
    """Tell whether a function takes all rows of a batch at once."""
    return PYTHON_FUNCTIONS[name].batched


def is_surveyed(name: str) -> bool:
    """Tell whether a function needs to know what is frequent among all rows."""
    return PYTHON_FUNCTIONS[name].surveyed


def require(names: Iterable[str]) -> None:
    """Check that the packages of all Python functions among `names` are installed.

    Raises
    ------
    MissingExtraError
        Naming all that are missing and the one command that installs them.
    """
    absent = missing(name for name in names if name in PYTHON_FUNCTIONS)
    if absent:
        raise MissingExtraError(install_message(absent))


def missing(names: Iterable[str]) -> list[Requirement]:
    """Return the packages that these functions need and that are not installed, each once. Imports nothing."""
    needed = {requirement: None for name in names for requirement in PYTHON_FUNCTIONS[name].requires}
    return [requirement for requirement in needed if importlib.util.find_spec(requirement.module) is None]


def install_message(absent: Iterable[Requirement]) -> str:
    """Return what is missing and the one command that installs it."""
    absent = list(absent)
    extras = sorted({requirement.extra for requirement in absent if requirement.extra})
    wanted = [f"djfast[{','.join(extras)}]"] if extras else []
    wanted += [requirement.package for requirement in absent if not requirement.extra]
    command = "pip install " + " ".join(f"'{target}'" for target in wanted)
    return f"not installed: {', '.join(requirement.module for requirement in absent)}; {command}"
