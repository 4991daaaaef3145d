"""Mappers that take something out of a text: words, characters, repeated sentences, tables."""

from __future__ import annotations

from djfast.declare import Example, Mapper, param
from djfast.expr import Expr, call, col
from djfast.ops.text.tokenization import LARGEST_INT, pieces

SYMBOLS = "◆●■►▼▲▴∆▻▷❖♡□"
SUBSTRINGS = ("http", "www", ".com", "href", "//")


class RemoveLongWordsMapper(Mapper, name="remove_long_words_mapper"):
    """Removes words that are too long or too short.

    Words are separated by spaces, tabs and line feeds. A word stays unchanged if its length lies in the range, either as it
    is or without the special characters at its ends. White space is shortened even if no word is removed: one space between
    words, one tab between cells, no empty line. The empty text and a text of white space become empty.
    """

    examples = (
        Example(
            rows=[{"text": "a pneumonoultramicroscopic word  (extraordinary!)\n\nnext"}, {"text": " \n"}, {"text": ""}],
            params={"max_len": 13},
            expect=[{"text": "a word (extraordinary!)\nnext"}, {"text": ""}, {"text": ""}],
        ),
        Example(
            rows=[{"text": "it is a test, 测试 \t of lengths"}],
            params={"min_len": 2, "max_len": 4},
            expect=[{"text": "it is test, 测试\tof"}],
        ),
    )

    min_len: int = param("Smallest length kept.", default=1, unit="code points", ge=0, le=LARGEST_INT)
    max_len: int = param("Largest length kept.", default=LARGEST_INT, unit="code points", ge=0, le=LARGEST_INT)

    def assign(self) -> dict[str, Expr]:
        """Return the words of the right length."""
        return {"text": call("keep_words_by_length", col("text"), min_len=self.min_len, max_len=self.max_len)}


class RemoveNonChineseCharacterMapper(Mapper, name="remove_non_chinese_character_mapper"):
    """Removes every character that is not used in Chinese texts.

    U+4E00 to U+9FA5 and the characters that the parameters name stay. Line feeds and tabs are always removed, and with
    `keep_punc: false` spaces too. The empty text stays empty.
    """

    examples = (
        Example(
            rows=[{"text": "中文，with 3 Latin wörds?\n结束。"}, {"text": "カタカナ;"}, {"text": ""}],
            params={},
            expect=[{"text": "中文，with 3 Latin wrds结束。"}, {"text": ""}, {"text": ""}],
        ),
        Example(
            rows=[{"text": "中文，with 3 Latin wörds?\n结束。"}],
            params={"keep_alphabet": False, "keep_number": False, "keep_punc": False},
            expect=[{"text": "中文结束"}],
        ),
    )

    keep_alphabet: bool = param("Keep the letters A to Z and a to z.", default=True)
    keep_number: bool = param("Keep the digits 0 to 9.", default=True)
    keep_punc: bool = param(
        "Keep the space, `!%&()*+,-./` and `·—“”•、。《》！＆（），：？`; other punctuation is always removed.", default=True
    )

    def assign(self) -> dict[str, Expr]:
        """Return the text of the kept characters."""
        kept = {"keep_alphabet": self.keep_alphabet, "keep_number": self.keep_number, "keep_punc": self.keep_punc}
        return {"text": call("remove_non_chinese", col("text"), **kept)}


class RemoveRepeatSentencesMapper(Mapper, name="remove_repeat_sentences_mapper"):
    """Removes sentences that repeat an earlier one of the text.

    A sentence ends at the end of its line or after `.`, `!`, `?`, their full-width forms, `……`, or a closing quotation mark
    after one of them. White space before a sentence belongs to it but is not compared. If all sentences of a line are
    removed, an empty line stays. With `ignore_special_character`, letters that are neither Latin nor Chinese are not compared
    either, so Cyrillic or accented sentences may count as equal. The empty text stays empty.
    """

    examples = (
        Example(
            rows=[{"text": "It is late. It is late! It was.\nIt is late"}, {"text": "No. No. No."}, {"text": ""}],
            params={},
            expect=[{"text": "It is late. It was.\n"}, {"text": "No."}, {"text": ""}],
        ),
        Example(
            rows=[{"text": "No. no. Never! Never."}, {"text": "我来了。我来了。"}],
            params={"lowercase": True, "ignore_special_character": False},
            expect=[{"text": "No. Never! Never."}, {"text": "我来了。"}],
        ),
        Example(
            rows=[{"text": "No. No. Never. Never."}],
            params={"min_repeat_sentence_length": 5},
            expect=[{"text": "No. No. Never."}],
        ),
    )

    lowercase: bool = param("Compare sentences without regard to case.", default=False)
    ignore_special_character: bool = param(
        "Compare only ASCII letters and digits, Chinese characters, spaces and tabs.", default=True
    )
    min_repeat_sentence_length: int = param(
        "Shorter sentences always stay; only the characters that are compared count.",
        default=2,
        unit="code points",
        ge=0,
        le=LARGEST_INT,
    )
    tokenizer: str | None = param(
        "A lambda that cuts a line into its sentences; null takes the built-in rules. This runs code from the recipe, unless "
        "DJFAST_USER_CODE=0 forbids it.",
        default=None,
    )

    def assign(self) -> dict[str, Expr]:
        """Return the text in which every sentence stands once."""
        given = {"tokenizer": self.tokenizer} if self.tokenizer else {}
        unique = call(
            "remove_sentences_of_tokenizer" if given else "remove_repeated_sentences",
            col("text"),
            **given,
            lowercase=self.lowercase,
            ignore_special_character=self.ignore_special_character,
            min_length=self.min_repeat_sentence_length,
        )
        return {"text": unique}


class RemoveSpecificCharsMapper(Mapper, name="remove_specific_chars_mapper"):
    """Removes all occurrences of given characters.

    Each character stands for itself; an entry of a list that has several characters stands for each of them. Without
    characters nothing changes. The empty text stays empty.
    """

    examples = (
        Example(
            rows=[{"text": "◆ one ● two"}, {"text": "a|b"}, {"text": ""}],
            params={},
            expect=[{"text": " one  two"}, {"text": "a|b"}, {"text": ""}],
        ),
        Example(
            rows=[{"text": "[a-z]^b|c 中"}],
            params={"chars_to_remove": ["^-", "]", "中"]},
            expect=[{"text": "[azb|c "}],
        ),
    )

    chars_to_remove: str | list[str] | None = param("Characters to remove, as one string or a list.", default=SYMBOLS)

    def assign(self) -> dict[str, Expr]:
        """Return the text without the characters."""
        characters = sorted(set("".join(self.chars_to_remove or "")))
        return {"text": call("remove_characters", col("text"), characters="".join(characters))}


class RemoveTableTextMapper(Mapper, name="remove_table_text_mapper"):
    r"""Removes lines that look like the rows of a table.

    Two or more consecutive lines are removed if they have the same number of cells. A cell is a run without white space;
    cells are separated by exactly one space, tab or `|`. Blank lines between and after them are removed too. Any two
    consecutive lines of two words are such a table. The first line is never a row, nor is a last line without a line feed or
    one that ends in CR LF. The empty text stays empty.
    """

    examples = (
        Example(
            rows=[
                {"text": "Results:\na|b c\n1|2 3\n\n4|5 6\nThat is all, for now.\n"},
                {"text": "Results:\none row\nand more of text\n"},
                {"text": ""},
            ],
            params={},
            expect=[
                {"text": "Results:\nThat is all, for now.\n"},
                {"text": "Results:\none row\nand more of text\n"},
                {"text": ""},
            ],
        ),
        Example(
            rows=[{"text": "Results:\na b\nc d\n1 2 3\n4 5 6\n"}],
            params={"min_col": 3, "max_col": 5},
            expect=[{"text": "Results:\na b\nc d\n"}],
        ),
    )

    min_col: int = param("Fewest columns of a table.", default=2, unit="columns", ge=2, le=20)
    max_col: int = param("Most columns of a table.", default=20, unit="columns", ge=2, le=20)

    def assign(self) -> dict[str, Expr]:
        """Return the text without tables."""
        return {"text": call("remove_table_text", col("text"), min_col=self.min_col, max_col=self.max_col)}


class RemoveWordsWithIncorrectSubstringsMapper(Mapper, name="remove_words_with_incorrect_substrings_mapper"):
    """Removes words that contain one of some substrings.

    The OP compares the word without the special characters at its ends; case matters. White space is shortened even if no
    word is removed: one space between words, one tab between cells, no empty line. With `tokenization`, the pieces of a
    SentencePiece model take the place of words: if a piece is removed, the rest is joined without spaces; otherwise the text
    does not change. The empty text stays empty.
    """

    examples = (
        Example(
            rows=[{"text": "see  https://x.org now, (www)\n\nHTTP //"}, {"text": " "}, {"text": ""}],
            params={},
            expect=[{"text": "see now,\nHTTP //"}, {"text": ""}, {"text": ""}],
        ),
        Example(
            rows=[{"text": "see https://x.org\tnow"}],
            params={"substrings": ["no"]},
            expect=[{"text": "see https://x.org"}],
        ),
    )

    lang: str = param("Language of the SentencePiece model; read only with tokenization.", default="en")
    tokenization: bool = param("Whether the pieces of a SentencePiece model are counted instead of words.", default=False)
    substrings: list[str] | None = param(
        "Substrings that no word may contain; null takes http, www, .com, href and //.", default=None
    )

    def assign(self) -> dict[str, Expr]:
        """Return the words without the substrings."""
        text = col("text")
        unwanted = SUBSTRINGS if self.substrings is None else tuple(sorted(set(self.substrings)))
        if self.tokenization:
            return {"text": call("remove_pieces_with_substrings", text, pieces(text, self.lang), substrings=unwanted)}
        return {"text": call("remove_words_with_substrings", text, substrings=unwanted)}
