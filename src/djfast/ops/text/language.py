"""Filters by models of language: which language a text is in, and how usual its sentences are."""

from __future__ import annotations

from djfast.declare import Filter, param
from djfast.expr import Expr, call, col


class LanguageIDScoreFilter(Filter, name="language_id_score_filter"):
    """Keeps texts whose language is identified with enough confidence, of any or of given languages.

    The model reads the lowercased text, with line feeds as spaces. It also answers for the empty text. The score of the first
    guess may be slightly above 1. `reversed_range` reverses the range of the score only, never the languages.
    """

    source = 'Joulin et al., "Bag of tricks for efficient text classification", 2016 (the lid.176 model).'

    lang: str | list[str] | None = param(
        "Language code, or several, such as `en` or `zh`; empty or null keeps every language.", default=""
    )
    min_score: float | None = param("Smallest confidence kept; null sets no limit.", default=0.8, ge=0)

    def stats(self) -> dict[str, Expr]:
        """First guess of the model and its probability."""
        prediction = call("language_prediction", call("lower", col("text")), model="lid.176.bin")
        return {
            "lang": call("language_label", prediction, model="lid.176.bin"),
            "lang_score": call("language_score", prediction),
        }

    def keep(self) -> Expr:
        """Score in range, and the language one of the given ones."""
        confident = self.in_range("lang_score", self.min_score, None)
        wanted = [self.lang] if isinstance(self.lang, str) else self.lang
        if not self.lang or not wanted:
            return confident
        return call("and", confident, call("one_of", col("lang"), values=sorted(set(wanted))))


class PerplexityFilter(Filter, name="perplexity_filter"):
    """Keeps texts whose perplexity under an n-gram model lies in a range.

    The SentencePiece model of the language splits the text, the KenLM model scores each line with its end of sentence, and
    the value is rounded to one decimal. Lower means closer to the model's training text. The empty text has 0. Needs
    `LANG.sp.model` and `LANG.arpa.bin` in a folder of models (`djfast fetch`).
    """

    source = 'Heafield, "KenLM: faster and smaller language model queries", 2011.'

    lang: str = param("Language of the two models.", default="en")
    min_ppl: float | None = param("Smallest perplexity kept; null sets no limit.", default=0, ge=0)
    max_ppl: float | None = param("Largest perplexity kept; null sets no limit.", default=1500, ge=0)

    def stats(self) -> dict[str, Expr]:
        """Perplexity of the text."""
        models = {"sentencepiece_model": f"{self.lang}.sp.model", "kenlm_model": f"{self.lang}.arpa.bin"}
        return {"perplexity": call("perplexity", col("text"), **models)}

    def keep(self) -> Expr:
        """Perplexity in range."""
        return self.in_range("perplexity", self.min_ppl, self.max_ppl)
