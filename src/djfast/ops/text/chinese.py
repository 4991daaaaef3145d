"""Mappers for Chinese text."""

from __future__ import annotations

from djfast.declare import Example, Mapper, param
from djfast.expr import Expr, call, col

_MODES = ("s2t", "t2s", "s2tw", "tw2s", "s2hk", "hk2s", "s2twp", "tw2sp", "t2tw", "tw2t", "hk2t", "t2hk", "t2jp", "jp2t")


class ChineseConvertMapper(Mapper, name="chinese_convert_mapper"):
    """Converts Chinese between simplified and traditional characters, the variants of Taiwan and Hong Kong, and Japanese.

    Words that the dictionaries contain are converted as a whole. U+0000 ends a word. As in Data-Juicer, a text of ASCII
    characters only is cut at its first U+0000. The empty text stays empty.
    """

    source = "OpenCC 1.1 with its own dictionaries."
    examples = (
        Example(
            rows=[{"text": "头发和发展"}, {"text": "plain"}, {"text": ""}],
            params={},
            expect=[{"text": "頭髮和發展"}, {"text": "plain"}, {"text": ""}],
        ),
        Example(rows=[{"text": "鼠标"}], params={"mode": "s2twp"}, expect=[{"text": "滑鼠"}]),
    )

    mode: str = param(
        "Source and target: s is simplified, t traditional, tw Taiwan, hk Hong Kong, jp Japanese, p with phrases.",
        default="s2t",
        choices=_MODES,
    )

    def assign(self) -> dict[str, Expr]:
        """Return the text in the other script."""
        return {"text": call("convert_chinese", col("text"), mode=self.mode)}
