"""What pages show works as it stands: commands, one after the other in one folder as a reader types them, and recipes."""

from __future__ import annotations

import json
import re
import shlex
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

import djfast
from djfast.cli.main import main

ROOT = Path(__file__).resolve().parents[2]
PAGES = ["README.md", *sorted(f"docs/{page.name}" for page in (ROOT / "docs").glob("*.md"))]

# What is not run here: it needs a network, a package index, an MPI library, a batch system or models, or names a placeholder.
NOT_RUN = re.compile(r"\b(fetch|mpirun|web-text|NAME|COMMAND)\b|--from mmc4|/shared/|--set-|\|")


def commands_of(page: str) -> Iterator[str]:
    """Yield the commands of a page in order: lines of console blocks, and code in sentences that has arguments."""
    text = (ROOT / page).read_text(encoding="utf-8").replace("\\\n", " ")
    code = r"(?s:```(?!console)\w*\n.*?```)|(?m:^(\$) (.+)$)|`(djfast \w+ [^`]+|djfast schema)`"
    for block, line, span in re.findall(code, text):
        for command in (line if block else span).split(" && "):
            if command.startswith("djfast ") and not NOT_RUN.search(command):
                yield command.partition(" > ")[0]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder with the files that pages take for granted."""
    rows = [{"id": number, "text": f"{number} words that are long enough to be kept by every filter"} for number in range(30)]
    (tmp_path / "docs.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    turns = [{"role": "user", "content": "How are you?"}, {"role": "assistant", "content": "Very well, and how are you doing?"}]
    (tmp_path / "chat.jsonl").write_text(json.dumps({"messages": turns}))
    said = [{"from": "human", "value": "<image>\nWhat?"}, {"from": "gpt", "value": "A."}]
    (tmp_path / "llava.json").write_text(json.dumps([{"id": "1", "image": "a.jpg", "conversations": said}]))
    (tmp_path / "src").mkdir()
    code = "".join(f"def work_{number}(value, other):\n    return value + other * {number}\n\n" for number in range(9))
    (tmp_path / "src" / "a.py").write_text(code)
    (tmp_path / "recipe.yaml").write_text(
        "dataset_path: docs.jsonl\nexport_path: out/docs.jsonl\nprocess:\n  - text_length_filter: {min_len: 5}\n"
        "  - words_num_filter: {min_num: 1}\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


@pytest.mark.parametrize("page", [page for page in PAGES if any(commands_of(page))])
def test_commands_work(page: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    if page == "README.md":  # it speaks to those who have the repository
        shutil.copytree(ROOT / "recipes", folder / "recipes")
    failed = []
    for command in commands_of(page):
        arguments = [each for each in shlex.split(command, comments=True)[1:] if each != "--send"]
        try:
            status = main(arguments)
        except SystemExit as exit_of_parser:
            status = int(exit_of_parser.code or 0)
        allowed = (0, 1, 85) if arguments[0] == "status" else (0,)  # what is unfinished or not begun has a status of its own
        if status not in allowed:
            said = capsys.readouterr().err.strip()
            if "not installed: " in said:
                pytest.skip(said)
            failed.append(f"{command}: {status}: {said[-300:]}")
    assert failed == []


def test_most_commands_are_run() -> None:
    assert sum(1 for page in PAGES for _ in commands_of(page)) >= 30


RECIPES = [
    (page, block)
    for page in PAGES
    for block in re.findall(r"^```yaml\n(.*?)^```", (ROOT / page).read_text(encoding="utf-8"), re.M | re.S)
]


@pytest.mark.parametrize(("page", "block"), RECIPES, ids=[page for page, _ in RECIPES])
def test_recipes_are_right(page: str, block: str, folder: Path) -> None:
    (folder / "block.yaml").write_text(block, encoding="utf-8")
    djfast.load_recipe("block.yaml")
