"""Mappers that add copies of rows with small random changes of their texts.

The draws are seeded by the text: unlike Data-Juicer's, they are the same in every run.
"""

from __future__ import annotations

from typing import ClassVar

from djfast.declare import Example, Mapper, param
from djfast.expr import Expr, call, row


class Augmentation(Mapper):
    """What both mappers share."""

    methods: ClassVar[tuple[str, ...]]
    function: ClassVar[str]

    sequential: bool = param(
        "Whether all methods are applied to each copy; if false, each method makes its own copies.", default=False
    )
    aug_num: int = param("Number of copies of each row; if `sequential` is false, of each method.", default=1, ge=1, le=1000)
    keep_original_sample: bool = param("Keep the row itself, before its copies.", default=True)
    seed: int = param("Seed of the random changes; Data-Juicer has no such parameter.", default=42, ge=0)

    def rewrite(self) -> Expr | None:
        """Return the row and its copies."""
        return call(
            self.function,
            row(),
            text_key=self.text_key,
            methods=[name for name in self.methods if getattr(self, name)],
            sequential=self.sequential,
            copies=self.aug_num,
            keep_original=self.keep_original_sample,
            seed=self.seed,
        )


class NlpaugEnMapper(Augmentation, name="nlpaug_en_mapper"):
    """Augments English texts: adds copies of rows with random changes of words or characters, by the package nlpaug.

    About three of ten words change, at least one and at most ten, or as many characters in as many words. A copy may equal
    the original if there is nothing to change; the empty text has no copies. If no method is set, the rows do not change, or
    all are dropped without `keep_original_sample`. White space between words becomes one space.
    """

    source = "Ma, nlpaug, 2019 (https://github.com/makcedward/nlpaug)."
    methods = (
        "delete_random_word",
        "swap_random_word",
        "spelling_error_word",
        "split_random_word",
        "keyboard_error_char",
        "ocr_error_char",
        "delete_random_char",
        "swap_random_char",
        "insert_random_char",
    )
    function = "nlpaug_rows"

    delete_random_word: bool = param("Leave words out.", default=False)
    swap_random_word: bool = param("Swap neighbouring words.", default=False)
    spelling_error_word: bool = param("Misspell words with frequent spelling errors.", default=False)
    split_random_word: bool = param("Split words in two.", default=False)
    keyboard_error_char: bool = param("Replace characters by neighbours on a keyboard.", default=False)
    ocr_error_char: bool = param("Replace characters by ones that look alike.", default=False)
    delete_random_char: bool = param("Leave characters out.", default=False)
    swap_random_char: bool = param("Swap neighbouring characters.", default=False)
    insert_random_char: bool = param("Insert characters.", default=False)

    examples = (
        Example(
            rows=[{"id": 1, "text": "The quick brown fox jumps over the lazy dog"}, {"id": 2, "text": ""}],
            params={"delete_random_word": True, "aug_num": 2},
            expect=[
                {"id": 1, "text": "The quick brown fox jumps over the lazy dog"},
                {"id": 1},
                {"id": 1},
                {"id": 2, "text": ""},
            ],
        ),
    )


class NlpcdaZhMapper(Augmentation, name="nlpcda_zh_mapper"):
    """Augments Chinese texts: adds copies of rows with random changes of words or characters, by the package nlpcda.

    About one of twenty words or characters changes. Copies differ from the text and from each other, so there may be fewer
    than asked for, and none of a short or empty text. Copies have no line feeds and no white space at their ends. With
    `sequential` the first method that changes the text makes the copies. If no method is set, the rows do not change, or all
    are dropped without `keep_original_sample`.
    """

    source = "Jiang, nlpcda, 2020 (https://github.com/425776024/nlpcda)."
    methods = (
        "replace_similar_word",
        "replace_homophone_char",
        "delete_random_char",
        "swap_random_char",
        "replace_equivalent_num",
    )
    function = "nlpcda_rows"

    replace_similar_word: bool = param("Replace words by synonyms.", default=False)
    replace_homophone_char: bool = param("Replace characters by ones that sound alike.", default=False)
    delete_random_char: bool = param("Leave characters out.", default=False)
    swap_random_char: bool = param("Swap neighbouring characters.", default=False)
    replace_equivalent_num: bool = param("Write numerals in another form.", default=False)

    examples = (
        Example(
            rows=[{"id": 1, "text": "这个软件包提供了一个很长的中文句子，用来测试随机数据增强"}, {"id": 2, "text": ""}],
            params={"replace_homophone_char": True},
            expect=[
                {"id": 1, "text": "这个软件包提供了一个很长的中文句子，用来测试随机数据增强"},
                {"id": 1},
                {"id": 2, "text": ""},
            ],
        ),
    )
