"""Functions written in Python over libraries: an index that loads none of them."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from typing import Any

from djfast.errors import InternalError, MissingExtraError
from djfast.records import NamedTuple


class Requirement(NamedTuple):
    """A package that a function needs."""

    module: str  # as imported
    package: str  # as installed
    extra: str | None  # the djfast extra that brings it; None is a dependency of djfast itself


class PythonFunction(NamedTuple):
    """A function of one row; the native registry's `FunctionSpec`, for Python. `inputs` are those of a `Signature`.

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
    bounded: bool = False  # its bytes bound its time, so that nobody need watch it at few of them; for lists of strings
    keeps_lock: bool = False  # computes in Python for long, so that processes help where threads do not
    cost: int = 1_000_000  # nanoseconds for each 1,000 bytes of text, roughly; the default is that of a model


_PER_CALL = 1_000  # the cost of a function that looks at a short value: that of the call

_SENTENCEPIECE = Requirement("sentencepiece", "sentencepiece>=0.2", "models")
_KENLM = Requirement("kenlm", "kenlm>=0.2", "models")
_TOKENIZERS = Requirement("tokenizers", "tokenizers>=0.20", "models")
_SOUP = Requirement("bs4", "beautifulsoup4>=4.13", "html")
_S3 = Requirement("s3transfer", "s3transfer>=0.10", "remote")
_REGEX = Requirement("regex", "regex>=2024.4", None)
_SPACY = Requirement("spacy", "spacy>=3.8", "spacy")
_NLPAUG = Requirement("nlpaug", "nlpaug>=1.1.11", "augment")
_NLPCDA = Requirement("nlpcda", "nlpcda>=2.5.8", "augment")
_TORCH = (
    Requirement("transformers", "transformers>=4.50", "transformers"),
    Requirement("torch", "torch>=2.4", "transformers"),
)
_AIOHTTP = Requirement("aiohttp", "aiohttp>=3.10", "llm")
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
                       (_NLTK,), "The sentences of a text, joined by line feeds.", keeps_lock=True),
        PythonFunction("ftfy_lines", "djfast.functions.repair", ("text_list",), "text_list",
                       (_FTFY,), "Each line repaired by ftfy.", bounded=True),
        PythonFunction("ftfy_text", "djfast.functions.repair", ("text",), "text",
                       (_FTFY,), "The text repaired by ftfy."),
        PythonFunction("is_one_of", "djfast.functions.membership", ("json",), "boolean",
                       (), "Whether a field, given as JSON, is one of some values.", cost=_PER_CALL),
        PythonFunction("list_in_range", "djfast.functions.ranges", ("json",), "boolean",
                       (), "Whether any or all numbers of a list lie in an interval.", cost=_PER_CALL),
        PythonFunction("syntax", "djfast.functions.syntax", ("text",), "json",
                       (_SPACY,), "Verbs and the edges of entities, as a spaCy model sees them.", batched=True, keeps_lock=True),
        PythonFunction("verb_count", "djfast.functions.syntax", ("json",), "int64",
                       (), "The number of verbs.", cost=_PER_CALL),
        PythonFunction("nlpaug_rows", "djfast.functions.augmentation", ("row",), "rows",
                       (_NLPAUG,), "The row and copies with small random changes of its English text.", keeps_lock=True),
        PythonFunction("nlpcda_rows", "djfast.functions.augmentation", ("row",), "rows",
                       (_NLPCDA,), "The row and copies with small random changes of its Chinese text.", keeps_lock=True),
        PythonFunction("message_contents", "djfast.functions.messages", ("json", "..."), "json",
                       (), "The texts of a row's messages, or of filled templates."),
        PythonFunction("filled_template", "djfast.functions.messages", ("json", "..."), "text",
                       (), "A template filled with fields or with messages."),
        PythonFunction("message_loss", "djfast.functions.causal_loss", ("json",), "double",
                       _TORCH, "Mean loss of the last of some messages under a language model.", batched=True),
        PythonFunction("in_context_influence", "djfast.functions.causal_loss", ("json",), "double",
                       _TORCH, "How much messages help a language model to foresee validation messages.", batched=True),
        PythonFunction("exponential", "djfast.functions.causal_loss", ("double",), "double",
                       (), "The exponential of a number.", cost=_PER_CALL),
        PythonFunction("quotient", "djfast.functions.causal_loss", ("double", "double"), "double",
                       (), "One number divided by another.", cost=_PER_CALL),
        PythonFunction("text_class", "djfast.functions.classification", ("text",), "json",
                       _TORCH, "The likeliest class of a text and its score.", batched=True),
        PythonFunction("clip_similarity", "djfast.functions.similarity", ("json", "json"), "json",
                       _TORCH, "Cosine of two texts under a CLIP model.", batched=True),
        PythonFunction("model_similarity", "djfast.functions.similarity", ("text",), "double",
                       _TORCH, "Mean cosine to validation rows, embedded by a model in the process.", batched=True),
        PythonFunction("served_similarity", "djfast.functions.similarity", ("text",), "double",
                       (_AIOHTTP,), "Mean cosine to validation rows, embedded by a server.", batched=True),
        PythonFunction("augmented_sentence", "djfast.functions.prompted_texts", ("text",), "text",
                       _TORCH, "What a chat model makes of a sentence.", batched=True),
        PythonFunction("prompted_tags", "djfast.functions.prompted_texts", ("text",), "json",
                       _TORCH, "The tag that a chat model answers.", batched=True),
        PythonFunction("without_frequent_lines", "djfast.functions.lines", ("text", "number_list"), "text",
                       (), "The text without the lines that are frequent among all rows.", surveyed=True),
        PythonFunction("remove_sentences_of_tokenizer", "djfast.functions.lines", ("text",), "text",
                       (), "The text without sentences that it had before, where a lambda of the user cuts lines.",
                       keeps_lock=True),
        PythonFunction("field_value", "djfast.functions.conditions", ("json",), "json",
                       (), "A value as it is, null for none.", cost=_PER_CALL),
        PythonFunction("condition", "djfast.functions.conditions", ("json", "..."), "json",
                       (), "The answer of a condition on fields.", cost=_PER_CALL),
        PythonFunction("is_truthy", "djfast.functions.conditions", ("json",), "boolean",
                       (), "Whether a value is something else than null, false, zero or empty.", cost=_PER_CALL),
        PythonFunction("is_among", "djfast.functions.conditions", ("json",), "boolean",
                       (), "Whether a value, or every element of a list, is one of some values.", cost=_PER_CALL),
        PythonFunction("is_number_in_range", "djfast.functions.conditions", ("json",), "boolean",
                       (), "Whether a number, or a text that spells one, lies in an interval.", cost=_PER_CALL),
        PythonFunction("text_chunks", "djfast.functions.chunking", ("row",), "rows",
                       (_REGEX,), "A row for each chunk of its text, cut by code points."),
        PythonFunction("token_chunks", "djfast.functions.chunking", ("row",), "rows",
                       (_REGEX, _TOKENIZERS), "A row for each chunk of its text, cut by tokens."),
        PythonFunction("html_tables", "djfast.functions.html_tables", ("text",), "json",
                       (_SOUP,), "The tables of an HTML text, as lists of rows of cells.", keeps_lock=True),
        PythonFunction("html_table_sources", "djfast.functions.html_tables", ("text",), "json",
                       (_SOUP,), "The tables of an HTML text, as HTML.", keeps_lock=True),
        PythonFunction("tex_sources", "djfast.functions.archives", ("text",), "text",
                       (), "The LaTeX sources in an archive, joined."),
        PythonFunction("figure_rows", "djfast.functions.figures", ("row",), "rows",
                       (), "A row for each figure of a LaTeX source.", keeps_lock=True),
        PythonFunction("redacted_row", "djfast.functions.redaction", ("row",), "rows",
                       (_REGEX,), "The row with placeholders for what tells of a person or opens a door.", keeps_lock=True),
        PythonFunction("text_group_key", "djfast.functions.grouping", ("text",), "json",
                       (), "A text as the key of a group."),
        PythonFunction("group_key", "djfast.functions.grouping", ("json", "..."), "json",
                       (), "The values at some paths as the key of a group."),
        PythonFunction("ungrouped_rows", "djfast.functions.grouping", ("row",), "rows",
                       (), "The rows that a row of lists stands for."),
        PythonFunction("custom_mapper_of_rows", "djfast.functions.custom", ("row",), "rows",
                       (), "The row as a user's function leaves it.", keeps_lock=True),
        PythonFunction("custom_filter_of_rows", "djfast.functions.custom", ("row",), "rows",
                       (), "The row, and whether a user's function keeps it.", keeps_lock=True),
        PythonFunction("custom_mapper_of_batches", "djfast.functions.custom", ("row",), "rows",
                       (), "The rows as a user's function leaves them.", batched=True, keeps_lock=True),
        PythonFunction("custom_filter_of_batches", "djfast.functions.custom", ("row",), "rows",
                       (), "The rows, and whether a user's function keeps them.", batched=True, keeps_lock=True),
        PythonFunction("adapted_mapper", "djfast.functions.custom", ("row",), "rows",
                       (), "The row as a mapper written for Data-Juicer leaves it.", keeps_lock=True),
        PythonFunction("adapted_filter", "djfast.functions.custom", ("row",), "rows",
                       (), "The row, and whether a filter written for Data-Juicer keeps it.", keeps_lock=True),
        PythonFunction("calibrated", "djfast.functions.calibration", ("text", "json", "json"), "json",
                       (), "The corrected question and answer, by a language model.", batched=True),
        PythonFunction("scored", "djfast.functions.scoring", ("json", "..."), "json",
                       (), "Scores of fields in several dimensions, by a language model.", batched=True),
        PythonFunction("task_scored", "djfast.functions.scoring", ("json", "..."), "json",
                       (), "Scores of how much fields help to learn a task, by a language model.", batched=True),
        PythonFunction("score_in", "djfast.functions.scoring", ("json",), "double",
                       (), "A score as a number, 0 where there is none.", cost=_PER_CALL),
        PythonFunction("unscored_or", "djfast.functions.scoring", ("double", "boolean"), "boolean",
                       (), "Whether a condition holds or a score is 0.", cost=_PER_CALL),
        PythonFunction("condition_met", "djfast.functions.scoring", ("json", "json", "json"), "json",
                       (), "Whether a text meets a condition, by a language model.", batched=True),
        PythonFunction("is_true", "djfast.functions.scoring", ("json",), "boolean",
                       (), "Whether JSON is true.", cost=_PER_CALL),
        PythonFunction("dialog_turns_detected", "djfast.functions.dialog_turns", ("json", "..."), "json",
                       (), "What a language model finds in each turn of a dialogue.", batched=True),
        PythonFunction("judged", "djfast.functions.judging", ("json", "..."), "json",
                       (), "The score that a language model gives a dialogue or the work of an agent.", batched=True),
        PythonFunction("agent_insight", "djfast.functions.judging", ("json", "..."), "json",
                       (), "What a language model makes of the evidence about an agent.", batched=True),
        PythonFunction("agent_skill_insights", "djfast.functions.judging", ("json", "json", "json"), "json",
                       (), "What an agent's tools and skills are good for, by a language model.", batched=True),
        PythonFunction("personal_data_suspected", "djfast.functions.personal_data", ("json", "..."), "json",
                       (), "Personal data that a language model suspects in fields.", batched=True),
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
        PythonFunction("extracted", "djfast.functions.extraction", ("row",), "rows",
                       (), "The row with what a language model finds in its text.", batched=True),
        PythonFunction("extracted_fields", "djfast.functions.extraction", ("row",), "rows",
                       (), "The row with a form that a language model has filled in.", batched=True),
        PythonFunction("aggregated", "djfast.functions.aggregation", ("row",), "rows",
                       (), "The row of lists with what a language model makes of a group.", batched=True),
        PythonFunction("aggregated_by_tokens", "djfast.functions.aggregation", ("row",), "rows",
                       (_TOKENIZERS,), "The same, with tokens counted by a tokenizer.", batched=True),
        PythonFunction("merged_tags", "djfast.functions.aggregation", ("row",), "rows",
                       (), "The row of lists with fewer tags, by a language model.", batched=True),
        PythonFunction("agent_dialog", "djfast.functions.dialogs", ("json", "json"), "json",
                       (), "The turns of an agent's messages, its tools and its skills."),
        PythonFunction("first_known", "djfast.functions.dialogs", ("json", "..."), "json",
                       (), "The first of some values that is neither null nor blank, as a text."),
        PythonFunction("known_value", "djfast.functions.dialogs", ("json",), "json",
                       (), "A value that is not null."),
        PythonFunction("ranked_names", "djfast.functions.dialogs", ("json",), "json",
                       (), "Names, the most frequent first."),
        PythonFunction("tool_results", "djfast.functions.dialogs", ("json",), "json",
                       (_REGEX,), "Which answers of tools were errors."),
        PythonFunction("token_usage", "djfast.functions.dialogs", ("json", "json", "json"), "json",
                       (), "Tokens that models used."),
        PythonFunction("bad_case_signals", "djfast.functions.bad_cases", ("json", "..."), "json",
                       (), "Signs that an agent's case went wrong."),
        PythonFunction("downloaded_files", "djfast.functions.downloads", ("json", "json"), "json",
                       (_AIOHTTP,), "Files from the web, in a folder or in the row.", batched=True),
        PythonFunction("s3_downloaded_files", "djfast.functions.s3_files", ("json", "json"), "json",
                       (_S3,), "Files from S3, in a folder or in the row.", batched=True),
        PythonFunction("s3_uploaded_files", "djfast.functions.s3_files", ("json",), "json",
                       (_S3,), "Places of files that were brought to S3.", batched=True),
        PythonFunction("user_lambda", "djfast.functions.user_code", ("row",), "rows",
                       (), "The row as a lambda of the recipe leaves it.", keeps_lock=True),
        PythonFunction("user_lambda_batch", "djfast.functions.user_code", ("row",), "rows",
                       (), "The rows as a lambda of the recipe leaves them.", batched=True, keeps_lock=True),
        PythonFunction("user_file", "djfast.functions.user_code", ("row",), "rows",
                       (), "The row as a function in a file leaves it.", keeps_lock=True),
        PythonFunction("user_file_batch", "djfast.functions.user_code", ("row",), "rows",
                       (), "The rows as a function in a file leaves them.", batched=True, keeps_lock=True),
    )
}  # fmt: skip


@cache  # which makes them anew each time it is asked
def _native_functions() -> dict[str, dict[str, Any]]:
    from djfast import _native

    return _native.functions()


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


class Signature(NamedTuple):
    """What a function takes and gives, by the names of column types.

    An input is a type, or several joined by ``|``; ``...`` at the end takes any number of the last one.
    """

    name: str
    inputs: tuple[str, ...]
    output: str
    is_native: bool

    def check(self, types: Sequence[str], *, op: str) -> None:
        """Check the arguments of a call.

        Raises
        ------
        InternalError
            If their number or a type is wrong: the OP asks for something that cannot be computed.
        """
        inputs = self.inputs
        if inputs[-1:] == ("...",):
            inputs = (*inputs[:-2], *(inputs[-2] for _ in types[len(inputs) - 2 :]))
        if len(types) != len(inputs):
            raise InternalError(f"{op}: the function {self.name!r} takes {len(inputs)} arguments, got {len(types)}")
        for number, (wanted, given) in enumerate(zip(inputs, types, strict=True)):
            if given not in wanted.split(" | "):
                raise InternalError(f"{op}: argument {number} of the function {self.name!r} must be {wanted}, got {given}")


def signature(name: str) -> Signature:
    """Return what a function takes and gives.

    Raises
    ------
    InternalError
        If there is no such function: an OP asks for something that was never written.
    """
    if name in PYTHON_FUNCTIONS:
        return Signature(name, PYTHON_FUNCTIONS[name].inputs, PYTHON_FUNCTIONS[name].output, is_native=False)
    declared = _native_functions().get(name)
    if declared is None:
        raise InternalError(f"an OP uses the function {name!r}, which does not exist")
    return Signature(name, tuple(declared["inputs"]), str(declared["output"]), is_native=True)


def cost(name: str) -> int:
    """Nanoseconds that a function takes for each 1,000 bytes of text, roughly: enough to tell cheap ones from expensive ones."""
    if name in PYTHON_FUNCTIONS:
        return PYTHON_FUNCTIONS[name].cost
    return int(_native_functions()[name]["cost"])


def memory(name: str) -> int:
    """Bytes that a function takes at most for each byte of text, roughly.

    Python keeps a text with 4 bytes a character if one of its characters needs them; a function gets one and makes another.
    """
    if name not in PYTHON_FUNCTIONS:
        return int(_native_functions()[name]["memory"])
    function = PYTHON_FUNCTIONS[name]
    if function.cost == _PER_CALL:
        return 0
    return 13 if function.inputs == ("row",) else 9


def may_reject(name: str) -> bool:
    """Tell whether a function may reject a row, as every function in Python may."""
    return name in PYTHON_FUNCTIONS or bool(_native_functions()[name]["may_reject"])


def skips_empty_lists(name: str) -> bool:
    """Tell whether a function of a list gives the empty list for an empty list, so that it need not be called."""
    return PYTHON_FUNCTIONS[name].inputs == ("text_list",)


def is_bounded(name: str) -> bool:
    """Tell whether the bytes of a function's lists bound its time."""
    return PYTHON_FUNCTIONS[name].bounded


def keeps_lock(names: Iterable[str]) -> bool:
    """Tell whether functions together are work for processes: some compute in Python for long, none waits or has a model."""
    given = [PYTHON_FUNCTIONS[name] for name in names if name in PYTHON_FUNCTIONS]
    return any(each.keeps_lock for each in given) and all(each.keeps_lock or each.cost == _PER_CALL for each in given)


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
