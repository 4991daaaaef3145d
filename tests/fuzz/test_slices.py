"""A few of the inputs of each campaign; `make fuzz` runs them by the thousand, with sanitizers."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fuzz import arrow_campaign, file_campaign

pytestmark = pytest.mark.filterwarnings("ignore")  # readers of other packages leave damaged files open


def test_hostile_arrays_are_refused_or_their_rows_accounted_for() -> None:
    became = [result for _, result in arrow_campaign.campaign(300, seed=2)]
    assert {*became} == {"passed", "rejected", "refused", "checked"}


def test_mutated_files_are_refused_or_their_rows_accounted_for(tmp_path: Path) -> None:
    pytest.importorskip("warcio", reason="the extra warc is not installed")
    made: dict[tuple[str, int], tuple[str, bytes]] = {}
    became = [file_campaign.check_file(f"2.{number}", tmp_path, made) for number in range(150)]
    assert {kind for kind, _ in became} == {*file_campaign.SEEDS}
    assert {result for _, result in became} == {"passed", "rejected", "refused"}


@pytest.mark.parametrize("kind", file_campaign.SEEDS)
def test_what_is_mutated_can_be_read(kind: str, tmp_path: Path) -> None:
    import djfast

    if kind == "warc":
        pytest.importorskip("warcio", reason="the extra warc is not installed")
    for suffix, make in file_campaign.SEEDS[kind]:
        path = tmp_path / f"in{suffix}"
        path.write_bytes(make())
        assert len(djfast.Dataset.from_files(path).to_list()) == 7
