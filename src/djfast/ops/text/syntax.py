"""Filters by the syntax of a text, as a spaCy model sees it."""

from __future__ import annotations

from djfast.declare import Filter, param
from djfast.expr import Expr, call, col, member


class SyntaxFilter(Filter):
    """What the filters share: the model, and one reading of the text for all of them."""

    lang: str = param("Language of the text.", default="en", choices=("en", "zh"))
    model: str | None = param(
        "A spaCy model: a folder, a name in the folders of models, or an installed package. "
        "Null takes `{lang}_core_web_md-3.7.0`, or any installed version of it.",
        default=None,
    )

    def syntax(self) -> Expr:
        """Return what the model says of the text."""
        return call("syntax", col("text"), model=self.model or f"{self.lang}_core_web_md-3.7.0")


class TextActionFilter(SyntaxFilter, name="text_action_filter"):
    """Keeps texts with enough verbs.

    A verb is a word that the model tags as a verb, not as an auxiliary. Media tokens are not read. The empty text has no
    verbs. A text that is longer than the model's limit, usually a million characters, is rejected.
    """

    min_action_num: int = param("Smallest number of verbs kept.", default=1)

    def stats(self) -> dict[str, Expr]:
        """Verbs of the text."""
        return {"num_action": call("verb_count", self.syntax())}

    def keep(self) -> Expr:
        """Verbs in range."""
        return self.in_range("num_action", self.min_action_num, None)


class TextEntityDependencyFilter(SyntaxFilter, name="text_entity_dependency_filter"):
    """Keeps texts whose entities have enough dependency edges with other words.

    Entities are nouns, names and personal pronouns. Edges are counted from each entity to its head, and to each entity from
    the words whose head it is, punctuation excepted. A text without entities, such as the empty one, is dropped, even with
    `reversed_range`. A text that is longer than the model's limit, usually a million characters, is rejected.
    """

    min_dependency_num: int = param("Smallest number of edges kept.", default=1)
    any_or_all: str = param(
        "Whether one entity with enough edges keeps the text (any), or all must have them (all).",
        default="all",
        choices=("any", "all"),
    )

    def stats(self) -> dict[str, Expr]:
        """Edges of each entity, in the order of the text."""
        return {"num_dependency_edges": member(self.syntax(), "num_dependency_edges")}

    def keep(self) -> Expr:
        """Edges in range, of any or of all entities."""
        return self.list_in_range(
            "num_dependency_edges", self.min_dependency_num, None, any_or_all=self.any_or_all, when_empty=False
        )
