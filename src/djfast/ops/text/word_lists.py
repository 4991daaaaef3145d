"""Filters on the share of words that stand in a list."""

from __future__ import annotations

from djfast.declare import Filter, param
from djfast.expr import Expr, call, col
from djfast.ops.text.tokenization import refined_words


class WordListFilter(Filter):
    """What the filters over word lists have in common."""

    lang: str = param("Language of the list, and of the SentencePiece model; `all` takes every language.", default="en")
    tokenization: bool = param("Whether the pieces of a SentencePiece model are counted instead of words.", default=False)
    use_words_aug: bool = param("Also look up groups of neighbouring words.", default=False)
    words_aug_group_sizes: list[int] = param("Sizes of the groups.", default=[2], unit="words", ge=1)
    words_aug_join_char: str = param("String between the words of a group.", default="")

    def share(self, word_list: str, folder: str | None) -> Expr:
        """Share of the words that stand in a list."""
        groups = self.words_aug_group_sizes if self.use_words_aug else None
        refined = refined_words(
            col("text"), self.lang, tokenization=self.tokenization, groups=groups, join=self.words_aug_join_char
        )
        return call("share_in_list", refined, word_list=(word_list, folder, self.lang))


class StopWordsFilter(WordListFilter, name="stopwords_filter"):
    """Keeps texts whose share of stop words lies in a range: running text has many, lists of keywords few.

    Words are lowercased and stripped of special characters at their ends. The entries of the list are compared as they are,
    so an entry with a capital letter, or with a special character at its end, never matches. A text without words, the empty
    one included, has the share 0. With `use_words_aug` the groups count as words too.
    """

    min_ratio: float | None = param("Smallest share kept; null sets no limit.", default=0.3, ge=0)
    max_ratio: float | None = param("Largest share kept; null sets no limit.", default=1.0, ge=0)
    stopwords_dir: str | None = param(
        "Folder whose *.json files with `stopwords` in their name are merged; null takes the assets folder. "
        "`package:stopwordsiso` takes the lists of that package (extra `stopwords`), which give other shares.",
        default=None,
    )

    def stats(self) -> dict[str, Expr]:
        """Share of stop words."""
        return {"stopwords_ratio": self.share("stopwords", self.stopwords_dir)}

    def keep(self) -> Expr:
        """Share in range."""
        return self.in_range("stopwords_ratio", self.min_ratio, self.max_ratio)


class FlaggedWordsFilter(WordListFilter, name="flagged_words_filter"):
    """Keeps texts whose share of flagged words lies in a range.

    Words are lowercased and stripped of special characters at their ends; the entries of the list are compared as they are.
    An entry of several words matches only with `use_words_aug`, a group size that fits and the right string between the
    words. A text without words, the empty one included, has the share 0.
    """

    min_ratio: float | None = param("Smallest share kept; null sets no limit.", default=0.0, ge=0)
    max_ratio: float | None = param("Largest share kept; null sets no limit.", default=0.045, ge=0)
    flagged_words_dir: str | None = param(
        "Folder whose *.json files with `flagged_words` in their name are merged; null takes the assets folder.",
        default=None,
    )

    def stats(self) -> dict[str, Expr]:
        """Share of flagged words."""
        return {"flagged_words_ratio": self.share("flagged_words", self.flagged_words_dir)}

    def keep(self) -> Expr:
        """Share in range."""
        return self.in_range("flagged_words_ratio", self.min_ratio, self.max_ratio)
