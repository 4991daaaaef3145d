"""Keys that go to disk give the same groups as keys in memory."""

from __future__ import annotations

import random
import tempfile
from array import array
from typing import Any

import pytest

import djfast
from djfast import _native
from djfast.errors import OutputError
from djfast.runners.keyed_groups import KeyedGroups
from djfast.runners.memory import budget_of

MAKERS: dict[str, tuple[Any, int]] = {
    "digests": (_native.DigestGroups, 2),
    "bands": (lambda: _native.BandGroups(3), 3),
    "numbered bands": (lambda: _native.BandGroups(3, True), 4),
    "hashes": (lambda: _native.HammingGroups(2), 1),
}


@pytest.mark.parametrize("kind", MAKERS)
@pytest.mark.parametrize("most_bytes", [1, 300_000])
def test_groups_are_the_same(kind: str, most_bytes: int) -> None:
    make, width = MAKERS[kind]
    chooser = random.Random(kind)
    in_memory, spilled = make(), make()
    with tempfile.TemporaryFile() as file:
        spilled.spill_to(file.fileno(), most_bytes)
        for rows in (1, 20_000, 30_000, 5_000, 1):
            present = bytes(chooser.choices(b"\x01\x01\x01\x00", k=rows))
            some = [chooser.getrandbits(16) * 0x9E3779B97F4A7C15 % 2**64 for _ in range(40_000)]
            keys = array("Q", chooser.choices(some, k=width * rows))
            for groups in (in_memory, spilled):
                groups.add(keys.tobytes(), rows, present)
        alive = bytes(chooser.choices(b"\x01\x01\x00", k=55_002))
        assert spilled.used_bytes < in_memory.used_bytes
        assert spilled.resolve(alive) == in_memory.resolve(alive)
        assert spilled.resolve() == in_memory.resolve()


def test_a_run_spills_when_its_keys_pass_their_share(tmp_path, monkeypatch) -> None:
    rows = [{"text": f"row {number % 30_000} of some that come twice"} for number in range(40_000)]
    spilled = []
    monkeypatch.setattr(KeyedGroups, "_spill", lambda self, spill=KeyedGroups._spill: spilled.append(1) or spill(self))
    djfast.Dataset.from_list(rows).export(str(tmp_path / "in.jsonl"))
    results = []
    for share in (1 << 40, 1 << 20):
        monkeypatch.setattr(
            "djfast.runners.local.budget_of", lambda *a, share=share, of=budget_of, **k: of(*a, **k)._replace(key_bytes=share)
        )
        target = tmp_path / str(share) / "out.jsonl"
        process = [{"document_deduplicator": {}}, {"document_minhash_deduplicator": {"jaccard_threshold": 0.9}}]
        djfast.run({"dataset_path": str(tmp_path / "in.jsonl"), "export_path": str(target), "process": process})
        results.append(target.read_bytes())
        assert [path.name for path in target.parent.iterdir() if path.name.startswith("tmp")] == []
    assert results[0] == results[1]
    assert len(spilled) == 1


def test_a_disk_that_fails_is_named_with_the_setting(tmp_path) -> None:
    groups = KeyedGroups([_native.DigestGroups()], folder=str(tmp_path), most_bytes=1)
    with groups, open(tmp_path / "read", "wb+") as file:
        groups.add([(bytes(16), None)], 1)
        groups._groups[0].spill_to(file.fileno() + 1000, 1)
        with pytest.raises(OutputError, match=r"cannot write .*keys of deduplicators: Bad file descriptor"):
            groups.add([(bytes(16 * 40_000), None)], 40_000)
