"""Filters on how long a text is: in code points, lines, words and tokens."""

from __future__ import annotations

from djfast.declare import Example, Filter, param
from djfast.expr import Expr, call, col
from djfast.ops.text.tokenization import LARGEST_INT, count_pieces


class TextLengthFilter(Filter, name="text_length_filter"):
    """Keeps texts whose number of code points lies in a range.

    The OP counts code points, not bytes and not what a reader sees as one character: an accent that is stored separately
    counts. The empty text has length 0.
    """

    examples = (
        Example(
            rows=[{"text": "short"}, {"text": "long enough"}, {"text": ""}],
            params={},
            expect=[{"text": "long enough", "text_len": 11}],
        ),
        Example(
            rows=[{"text": "short"}, {"text": "long enough"}, {"text": ""}],
            params={"min_len": 1, "max_len": 5},
            expect=[{"text": "short", "text_len": 5}],
        ),
    )

    min_len: int | None = param("Shortest text kept; null sets no limit.", default=10, unit="code points", ge=0, le=LARGEST_INT)
    max_len: int | None = param("Longest text kept; null sets no limit.", default=None, unit="code points", ge=0, le=LARGEST_INT)

    def stats(self) -> dict[str, Expr]:
        """Length of the text."""
        return {"text_len": call("text_length", col("text"))}

    def keep(self) -> Expr:
        """Length in range."""
        return self.in_range("text_len", self.min_len, self.max_len)


class AverageLineLengthFilter(Filter, name="average_line_length_filter"):
    """Keeps texts whose average line length lies in a range.

    The average is the length of the whole text, line separators included, divided by the number of lines, so it is a little
    larger than the mean of the line lengths. Lines end at every Unicode line boundary. A separator at the end of the text
    does not begin another line. The empty text has no lines and the average 0.
    """

    examples = (
        Example(
            rows=[{"text": "one line of text\nand another"}, {"text": "a\nb\nc"}, {"text": ""}],
            params={},
            expect=[{"text": "one line of text\nand another", "avg_line_length": 14.0}],
        ),
        Example(
            rows=[{"text": "a\nb\nc"}, {"text": ""}],
            params={"min_len": 0, "max_len": 2},
            expect=[
                {"text": "a\nb\nc", "avg_line_length": 1.6666666666666667},
                {"text": "", "avg_line_length": 0.0},
            ],
        ),
    )

    min_len: int | None = param(
        "Smallest average kept; null sets no limit.", default=10, unit="code points", ge=0, le=LARGEST_INT
    )
    max_len: int | None = param(
        "Largest average kept; null sets no limit.", default=None, unit="code points", ge=0, le=LARGEST_INT
    )

    def stats(self) -> dict[str, Expr]:
        """Length of the text divided by its number of lines."""
        text = col("text")
        return {"avg_line_length": call("ratio", call("text_length", text), call("list_length", call("lines", text)))}

    def keep(self) -> Expr:
        """Average in range."""
        return self.in_range("avg_line_length", self.min_len, self.max_len)


class MaximumLineLengthFilter(Filter, name="maximum_line_length_filter"):
    """Keeps texts whose longest line has a length in a range.

    Lines end at every Unicode line boundary; the length of a line does not include its separator. The empty text has no lines
    and the maximum 0.
    """

    examples = (
        Example(
            rows=[{"text": "short\nthe longest line"}, {"text": "a\nb"}, {"text": ""}],
            params={},
            expect=[{"text": "short\nthe longest line", "max_line_length": 16}],
        ),
        Example(
            rows=[{"text": "short\nthe longest line"}, {"text": "a\nb"}, {"text": ""}],
            params={"min_len": 0, "max_len": 1},
            expect=[{"text": "a\nb", "max_line_length": 1}, {"text": "", "max_line_length": 0}],
        ),
    )

    min_len: int | None = param(
        "Smallest maximum kept; null sets no limit.", default=10, unit="code points", ge=0, le=LARGEST_INT
    )
    max_len: int | None = param(
        "Largest maximum kept; null sets no limit.", default=None, unit="code points", ge=0, le=LARGEST_INT
    )

    def stats(self) -> dict[str, Expr]:
        """Length of the longest line."""
        return {"max_line_length": call("list_max", call("lines", col("text")))}

    def keep(self) -> Expr:
        """Maximum in range."""
        return self.in_range("max_line_length", self.min_len, self.max_len)


class WordsNumFilter(Filter, name="words_num_filter"):
    """Keeps texts whose number of words lies in a range.

    Words are separated by spaces, line feeds and tabs. Punctuation, digits and symbols are stripped from both ends of each
    word; words that become empty are not counted, so numbers and emoji do not count. The empty text has 0 words. In a script
    without spaces, such as Chinese, each line is one word unless `tokenization` is on.
    """

    examples = (
        Example(
            rows=[{"text": "three words here"}, {"text": "1, 2, 3!"}, {"text": ""}],
            params={"min_num": 1},
            expect=[{"text": "three words here", "num_words": 3}],
        ),
        Example(
            rows=[{"text": "three words here"}, {"text": "1, 2, 3!"}, {"text": ""}],
            params={"min_num": 0, "max_num": 2},
            expect=[{"text": "1, 2, 3!", "num_words": 0}, {"text": "", "num_words": 0}],
        ),
    )

    lang: str = param("Language of the SentencePiece model; read only with tokenization.", default="en")
    tokenization: bool = param("Whether the pieces of a SentencePiece model are counted instead of words.", default=False)
    min_num: int | None = param("Fewest words kept; null sets no limit.", default=10, unit="words", ge=0, le=LARGEST_INT)
    max_num: int | None = param("Most words kept; null sets no limit.", default=None, unit="words", ge=0, le=LARGEST_INT)

    def stats(self) -> dict[str, Expr]:
        """Count the words."""
        text = col("text")
        return {"num_words": count_pieces(text, self.lang) if self.tokenization else call("words_count", text)}

    def keep(self) -> Expr:
        """Keep numbers in range."""
        return self.in_range("num_words", self.min_num, self.max_num)


class TokenNumFilter(Filter, name="token_num_filter"):
    """Keeps texts whose number of tokens lies in a range.

    Tokens are those of a Hugging Face tokenizer, without the special tokens that it adds around a text. The empty text has 0.
    The tokenizer is read from disk; nothing is downloaded.
    """

    hf_tokenizer: str = param(
        "Name of a tokenizer, or a folder with its tokenizer.json.", default="EleutherAI/pythia-6.9b-deduped"
    )
    min_num: int | None = param("Fewest tokens kept; null sets no limit.", default=10, unit="tokens", ge=0, le=LARGEST_INT)
    max_num: int | None = param("Most tokens kept; null sets no limit.", default=None, unit="tokens", ge=0, le=LARGEST_INT)

    def stats(self) -> dict[str, Expr]:
        """Count the tokens."""
        return {"num_token": call("hf_token_count", col("text"), tokenizer=self.hf_tokenizer)}

    def keep(self) -> Expr:
        """Keep numbers in range."""
        return self.in_range("num_token", self.min_num, self.max_num)
