"""Deduplicators of texts: equal, similar by MinHash, similar by SimHash. Of each group the first row is kept."""

from __future__ import annotations

from typing import ClassVar

from djfast.declare import Deduplicator, DuplicateRule, Example, param
from djfast.errors import RecipeError
from djfast.expr import Expr, call, col, field
from djfast.ops.dedup.banding import best_banding

_LARGEST_WINDOW = 2**31 - 1


class DocumentDeduplicator(Deduplicator, name="document_deduplicator"):
    """Removes exact duplicates; keeps the first of equal texts.

    White space at both ends is always ignored, even if both options are off. All empty texts are equal. With
    `ignore_non_character`, punctuation outside ASCII still counts.
    """

    examples = (
        Example(
            rows=[{"text": "same"}, {"text": " same\n"}, {"text": "Same"}],
            params={},
            expect=[{"text": "same"}, {"text": "Same"}],
        ),
        Example(
            rows=[{"text": "Same, 1 text!"}, {"text": "same text 2"}],
            params={"lowercase": True, "ignore_non_character": True},
            expect=[{"text": "Same, 1 text!"}],
        ),
    )

    lowercase: bool = param("Compare without regard to case.", default=False)
    ignore_non_character: bool = param("Compare without white space, decimal digits and ASCII punctuation.", default=False)

    def key(self) -> Expr:
        """MD5 of the text in its compared form."""
        compared = call(
            "normalize_for_exact",
            col("text"),
            lowercase=self.lowercase,
            ignore_non_character=self.ignore_non_character,
        )
        return call("digest_md5", compared)

    def rule(self) -> DuplicateRule:
        """Rows with the same digest."""
        return DuplicateRule("equal")

    def columns(self) -> dict[str, Expr]:
        """Return the digest, written as hexadecimal text."""
        return {"__dj__hash": self.key()}


class SimilarDocumentDeduplicator(Deduplicator):
    """What the two deduplicators over windows of tokens have in common."""

    lowercase: bool = param("Compare without regard to case.", default=True)
    ignore_pattern: str | None = param("Regular expression whose matches are removed before comparing.", default=None)
    short_texts: str = param(
        "What happens to texts with fewer tokens than a window, which have no window to compare: `merge` treats all of them as "
        "duplicates of each other and keeps the first, as Data-Juicer does, and the run reports how many there were; `exact` "
        "treats those with the same tokens as duplicates; `keep` keeps all.",
        default="merge",
        choices=("merge", "keep", "exact"),
    )

    def compared(self) -> Expr:
        """Return the text in its compared form."""
        text = call("lower", col("text")) if self.lowercase else col("text")
        return call("regex_remove", text, pattern=self.ignore_pattern) if self.ignore_pattern else text


class DocumentMinhashDeduplicator(SimilarDocumentDeduplicator, name="document_minhash_deduplicator"):
    """Removes near duplicates by MinHash and locality-sensitive hashing; keeps the first row of each group.

    A text is the set of its windows of consecutive tokens. Rows that share a band of their signatures are duplicates, and so
    are duplicates of duplicates; the exact similarity is not computed. By default, texts shorter than a window, the empty one
    included, are all duplicates of each other: see `short_texts`.
    """

    source = 'Broder, "On the resemblance and containment of documents", 1997.'
    examples: ClassVar[tuple[Example, ...]] = (
        Example(
            rows=[
                {"text": "one two three four five six"},
                {"text": "One two three four five six"},
                {"text": "a b c d e"},
            ],
            params={},
            expect=[{"text": "one two three four five six"}, {"text": "a b c d e"}],
        ),
        Example(
            rows=[{"text": "too short"}, {"text": "short too"}],
            params={"short_texts": "keep"},
            expect=[{"text": "too short"}, {"text": "short too"}],
        ),
    )

    tokenization: str = param(
        "What a token is: `space` (between spaces), `punctuation` (between punctuation), `character` or "
        "`sentencepiece` (pieces of `tokenizer_model`).",
        default="space",
        choices=("space", "punctuation", "character", "sentencepiece"),
    )
    window_size: int = param("Tokens in a window.", default=5, unit="tokens", ge=1, le=_LARGEST_WINDOW)
    num_permutations: int = param("Number of hashes in a signature; more are more exact and slower.", default=256, ge=1, le=4096)
    jaccard_threshold: float = param("Jaccard similarity above which rows count as duplicates.", default=0.7, ge=0, le=1)
    num_bands: int | None = param(
        "Number of bands of a signature. If it or num_rows_per_band is null, both are chosen from jaccard_threshold.",
        default=None,
        ge=1,
    )
    num_rows_per_band: int | None = param("Number of hashes in a band.", default=None, ge=1)
    tokenizer_model: str | None = param("SentencePiece model for `tokenization: sentencepiece`.", default=None)
    hash: str = param(
        "Hash of the windows: `data-juicer` gives the same rows as Data-Juicer (SHA-1), `fast` is a faster one whose "
        "groups differ at the margin.",
        default="data-juicer",
        choices=("data-juicer", "fast"),
    )

    @property
    def banding(self) -> tuple[int, int]:
        """Bands and rows per band in force."""
        if self.num_bands is None or self.num_rows_per_band is None:
            return best_banding(self.jaccard_threshold, self.num_permutations)
        return self.num_bands, self.num_rows_per_band

    def validate(self) -> None:
        """Check the banding and the tokenizer."""
        if self.tokenization == "sentencepiece" and not self.tokenizer_model:
            raise RecipeError(f"{self.spec.name}: tokenizer_model must be given with tokenization 'sentencepiece'")
        bands, rows = self.banding
        if bands * rows > self.num_permutations:
            # Values beyond the signature would be equal in all rows and make all of them duplicates.
            raise RecipeError(
                f"{self.spec.name}: num_bands * num_rows_per_band must be <= num_permutations "
                f"({self.num_permutations}), got {bands} * {rows}"
            )

    def key(self) -> Expr:
        """Keys of the bands."""
        bands, rows = self.banding
        settings = {
            "window": self.window_size,
            "permutations": self.num_permutations,
            "bands": bands,
            "rows": rows,
            "hash": self.hash,
            "short_texts": self.short_texts,
        }
        if self.tokenization == "sentencepiece":
            pieces = call("sentencepiece_pieces", self.compared(), model=self.tokenizer_model)
            return call("minhash_bands_of_tokens", pieces, **settings)
        return call("minhash_bands", self.compared(), tokenization=self.tokenization, **settings)

    def rule(self) -> DuplicateRule:
        """Rows that share a band."""
        return DuplicateRule("bands", bands=self.banding[0])


class DocumentMinhashDeduplicatorWithUid(DocumentMinhashDeduplicator, name="document_minhash_deduplicator_with_uid"):
    """Removes near duplicates by MinHash; keeps the row of each group with the smallest number.

    Like `document_minhash_deduplicator`, but the row of each group that stays is the one with the smallest integer in the
    field `__dj__uid`, not the first one. The order of the rows and the field do not change. A row without an integer there is
    rejected. By default, texts shorter than a window, the empty one included, are all duplicates of each other: see
    `short_texts`.
    """

    examples = (
        Example(
            rows=[
                {"text": "one two three four five six", "__dj__uid": 7},
                {"text": "One two three four five six", "__dj__uid": 3},
            ],
            params={},
            expect=[{"text": "One two three four five six", "__dj__uid": 3}],
        ),
    )

    def key(self) -> Expr:
        """Keys of the bands, and the row's number."""
        return numbered(super().key())

    def rule(self) -> DuplicateRule:
        """Rows that share a band; the smallest number stays."""
        return super().rule()._replace(by_number=True)


def numbered(key: Expr) -> Expr:
    """Return keys of bands with the row's own number behind them."""
    return call("numbered_keys", key, field("__dj__uid"))


class DocumentSimhashDeduplicator(SimilarDocumentDeduplicator, name="document_simhash_deduplicator"):
    """Removes near duplicates by SimHash; keeps the first row of each group.

    Every window of consecutive tokens votes on the 64 bits of the hash, once for each occurrence. Rows whose hashes differ in
    at most `hamming_distance` bits are duplicates, and so are duplicates of duplicates. Texts shorter than a window, the
    empty one included, have the hash 0, so by default they are all duplicates of each other: see `short_texts`.
    """

    source = 'Charikar, "Similarity estimation techniques from rounding algorithms", 2002.'
    examples = (
        Example(
            rows=[{"text": "one two three four five six"}, {"text": "One two three four five six"}],
            params={},
            expect=[{"text": "one two three four five six"}],
        ),
        Example(
            rows=[{"text": "too short"}, {"text": "short too"}],
            params={"short_texts": "keep"},
            expect=[{"text": "too short"}, {"text": "short too"}],
        ),
    )

    tokenization: str = param(
        "What a token is: `space` (between spaces), `punctuation` (between punctuation) or `character`.",
        default="space",
        choices=("space", "punctuation", "character"),
    )
    window_size: int = param("Tokens in a window.", default=6, unit="tokens", ge=1, le=_LARGEST_WINDOW)
    num_blocks: int = param("Upper bound of hamming_distance; the search itself is exact.", default=6, ge=1, le=64)
    hamming_distance: int = param(
        "Largest number of bits in which duplicates differ; must be less than num_blocks.", default=4, unit="bits", ge=0
    )

    def validate(self) -> None:
        """Check the distance against the blocks."""
        if self.hamming_distance >= self.num_blocks:
            raise RecipeError(
                f"{self.spec.name}: hamming_distance must be < num_blocks ({self.num_blocks}), got {self.hamming_distance}"
            )

    def key(self) -> Expr:
        """Return a list of the SimHash, which is empty for short texts where those are kept."""
        return call(
            "simhash",
            self.compared(),
            tokenization=self.tokenization,
            window=self.window_size,
            short_texts=self.short_texts,
        )

    def rule(self) -> DuplicateRule:
        """Rows whose hashes are close."""
        return DuplicateRule("hamming", distance=self.hamming_distance)

    def columns(self) -> dict[str, Expr]:
        """Return the SimHash, written as decimal text."""
        return {"__dj__simhash": self.key()}
