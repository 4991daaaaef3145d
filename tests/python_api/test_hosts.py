"""Pipes in the engines that they are for, each as it is: a local cluster of Ray, a session of Spark, a data frame of Daft."""

from __future__ import annotations

import importlib.util
import shutil
import sys
from typing import Any

import pyarrow as pa
import pytest

import djfast

TABLE = pa.table({"text": ["no" if i % 3 == 0 else f"long enough text {i}" for i in range(1000)], "n": range(1000)})


def pipe() -> Any:
    return djfast.compile([{"whitespace_normalization_mapper": None}, {"text_length_filter": {"min_len": 5}}], TABLE.schema)


def expected() -> list[dict[str, Any]]:
    return pipe()(TABLE).to_pylist()


def by_number(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(rows, key=lambda row: row["n"])


@pytest.fixture
def ray() -> Any:
    ray = pytest.importorskip("ray", reason="ray is not installed")
    pytest.importorskip("ray.data")
    ray.init(num_cpus=2, logging_level="ERROR", include_dashboard=False, log_to_driver=False)
    yield ray
    ray.shutdown()


@pytest.mark.filterwarnings("ignore")  # of Ray's own
def test_ray_maps_batches(ray: Any) -> None:
    data = ray.data.from_arrow(TABLE).repartition(4)
    rows = data.map_batches(pipe(), batch_format="pyarrow", batch_size=100, zero_copy_batch=True).take_all()
    assert by_number(rows) == expected()


@pytest.mark.filterwarnings("ignore")  # of Spark's own
@pytest.mark.skipif(
    importlib.util.find_spec("pyspark") is None or shutil.which("java") is None, reason="pyspark or Java is not installed"
)
def test_spark_maps_in_arrow(monkeypatch: pytest.MonkeyPatch) -> None:
    from pyspark.sql import SparkSession

    monkeypatch.setenv("PYSPARK_PYTHON", sys.executable)
    session = SparkSession.builder.master("local[2]").config("spark.ui.enabled", "false").getOrCreate()
    try:
        rows = session.createDataFrame(TABLE.to_pylist()).mapInArrow(pipe().stream, "n bigint, text string").collect()
        assert by_number([row.asDict() for row in rows]) == expected()
    finally:
        session.stop()


@pytest.mark.filterwarnings("ignore")  # of Daft's own
def test_daft_asks_batch_by_batch_or_filters_by_what_a_pipe_says() -> None:
    daft = pytest.importorskip("daft", reason="daft is not installed")
    frame, ours = daft.from_arrow(TABLE), pipe()
    assert [row for batch in ours.stream(frame.to_arrow_iter()) for row in batch.to_pylist()] == expected()

    @daft.func.batch(return_dtype=daft.DataType.bool())
    def keeps(text: Any) -> Any:
        return ours.annotate(pa.table({"text": text.to_arrow()})).column("__dj__keep__").combine_chunks()

    assert frame.where(keeps(frame["text"])).to_arrow().to_pylist() == expected()
