"""Write sample.jsonl, the small input of the ready recipes: sentences put together from word lists, and planted defects.

python recipes/data/make.py > recipes/data/sample.jsonl
"""

from __future__ import annotations

import json
import random

SUBJECTS = [
    "The engine",
    "A reader",
    "Every batch",
    "The planner",
    "One thread",
    "This filter",
    "A recipe",
    "The writer",
]
VERBS = ["reads", "measures", "keeps", "removes", "compares", "writes", "counts", "shares"]
OBJECTS = [
    "the rows of a file",
    "words in long texts",
    "the first of equal rows",
    "what changed",
    "all the lines",
    "a share of the data",
]
ENDINGS = [
    "before the next one begins.",
    "and says why.",
    "in the order of the input.",
    "while others wait.",
    "without a copy.",
]
GERMAN = "Der Leser prüft jede Zeile und schreibt sie in der alten Reihenfolge zurück, bevor die nächste an der Reihe ist. "
CHINESE = "引擎按顺序读取每一行，并把结果写回文件。数据不会丢失，也不会重复。每一步都会说明原因。"


def paragraph(chance: random.Random, sentences: int) -> str:
    """Put sentences together."""
    parts = [
        f"{chance.choice(SUBJECTS)} {chance.choice(VERBS)} {chance.choice(OBJECTS)} {chance.choice(ENDINGS)}"
        for _ in range(sentences)
    ]
    return " ".join(parts)


def rows() -> list[dict[str, object]]:
    """Return the rows with their planted defects."""
    chance = random.Random(20)
    texts = [paragraph(chance, chance.randint(3, 9)) for _ in range(60)]
    texts[7] = texts[3]  # an exact duplicate
    texts[11] = texts[4].replace("The", "the", 1) + " Nearly the same."  # a near duplicate
    texts[13] = "too short"
    texts[17] = "!!! ??? *** --- === " * 12
    texts[19] = "spam " * 80
    texts[23] += " Write to someone@example.com or see https://example.com/a_(b) for “more”…"
    texts[29] = GERMAN * 4
    texts[31] = CHINESE * 3
    texts[37] = "MojibakeÂ£ and caf\u00c3\u00a9: " + texts[37]
    listed: list[dict[str, object]] = [
        {"id": i, "text": text, "meta": {"source": "sample", "part": i % 3}} for i, text in enumerate(texts)
    ]
    listed[41]["text"] = None  # a bad row: it is rejected, its neighbours are not
    return listed


if __name__ == "__main__":
    for row in rows():
        print(json.dumps(row, ensure_ascii=False))
