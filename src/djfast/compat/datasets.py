"""Data sets with the methods that scripts for Data-Juicer call."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from types import MethodType
from typing import Any

from djfast.catalog import load_ops
from djfast.compat.ops import peer
from djfast.custom.data_juicer import AdaptedFilter, AdaptedMapper
from djfast.custom.functions import FunctionFilter, FunctionMapper
from djfast.dataset import Dataset, Row
from djfast.declare import Deduplicator, Filter, Op
from djfast.functions.custom import adapted_filter, adapted_mapper, mapping, with_columns
from djfast.reserved import STATS
from djfast.runners.report import Report


class NestedDataset(Dataset):
    """A `djfast.Dataset` whose rows show their stats, with the methods of ``datasets.Dataset`` that recipes' scripts use."""

    @classmethod
    def from_dict(cls, columns: Mapping[str, Sequence[Any]]) -> NestedDataset:
        """Rows of a dictionary of lists."""
        names = list(columns)
        return cls.from_list([dict(zip(names, values)) for values in zip(*columns.values(), strict=True)])  # type: ignore[return-value]

    def process(self, *ops: Any, **_: Any) -> NestedDataset:
        """Run OPs in order: of djfast, or objects of classes written for Data-Juicer. Further arguments are passed over."""
        made = [each for op in ops for each in (op if isinstance(op, list | tuple) else [op])]
        return Dataset.process(self._settled(), [_as_op(each) for each in made])  # type: ignore[return-value]

    def map(self, function: Callable[..., Any], *, batched: bool = False, **_: Any) -> NestedDataset:
        """Apply a function to rows, or with `batched` to a dictionary of lists; what it does not return stays."""
        op = getattr(function, "__self__", None)
        if isinstance(op, Deduplicator) and isinstance(function, MethodType):
            return self._of_rows([function(row) for row in self])
        if isinstance(op, Op | AdaptedMapper | AdaptedFilter) and isinstance(function, MethodType):
            if function.__name__.startswith("compute_stats"):
                return Dataset.compute_stats(self._settled(), _as_op(op))  # type: ignore[return-value]
            return self.process(op)

        def changed(row: Row) -> Any:
            if batched:
                return with_columns([row], mapping(function({name: [value] for name, value in row.items()})))
            return {**row, **mapping(function(dict(row)))}

        return Dataset.map(self._settled(), changed)  # type: ignore[return-value]

    def filter(self, function: Callable[..., Any], *, batched: bool = False, **_: Any) -> NestedDataset:
        """Keep the rows for which a function, or ``op.process``, says so."""
        op = getattr(function, "__self__", None)
        if isinstance(op, Filter | AdaptedFilter) and isinstance(function, MethodType):
            return self.process(op)

        def decided(row: Row) -> Any:
            return next(iter(function({name: [value] for name, value in row.items()}))) if batched else function(row)

        return Dataset.filter(self._settled(), decided)  # type: ignore[return-value]

    def select_columns(self, column_names: Any, *more: Any) -> NestedDataset:
        """Keep some columns."""
        return Dataset.select_columns(self._settled(), column_names, *more)  # type: ignore[return-value]

    def remove_columns(self, column_names: str | Sequence[str]) -> NestedDataset:
        """Leave out some columns."""
        gone = {column_names} if isinstance(column_names, str) else set(column_names)
        return self._of_rows([{name: row[name] for name in row if name not in gone} for row in self])

    def add_column(self, name: str, column: Sequence[Any]) -> NestedDataset:
        """Add a column with a value for each row."""
        return self._of_rows([{**row, name: value} for row, value in zip(self, column, strict=True)])

    def select(self, indices: Sequence[int]) -> NestedDataset:
        """Take some rows."""
        rows = self.to_list()
        return self._of_rows([rows[number] for number in indices])

    def __iter__(self) -> Iterator[Row]:
        """Yield the rows with their stats."""
        yield from self.to_list()

    def to_list(self, *, stats: bool = True) -> list[Row]:
        """Return the rows with their stats."""
        return super().to_list(stats=stats)

    @property
    def columns(self) -> list[str]:
        """Names of the columns, stats included."""
        return list(dict.fromkeys(name for row in self for name in row))

    column_names = columns
    features = columns

    @property
    def num_rows(self) -> int:
        """The number of rows."""
        return len(self)

    def _settled(self) -> NestedDataset:
        """Return a data set to which OPs can be added: stats that were computed are then in its rows."""
        return self if self._drops_rows else self._of_rows(self.to_list())

    def _of_rows(self, rows: list[Row]) -> NestedDataset:
        return type(self).from_list(rows)  # type: ignore[return-value]


class Exporter:
    """Writes a data set to a file, whose suffix names the format."""

    def __init__(self, export_path: str, export_shard_size: int = 0, *_: Any, **options: Any) -> None:
        if export_shard_size:
            raise NotImplementedError("djfast writes shards of a recipe's result only: set export_shard_size there")
        self.export_path = export_path
        self.keeps_stats = bool(options.get("keep_stats_in_res_ds", False))
        self.keeps_hashes = bool(options.get("keep_hashes_in_res_ds", False))

    def export(self, dataset: Dataset) -> Report:
        """Write the rows."""
        return dataset.export(self.export_path, keep_stats=self.keeps_stats, keep_hashes=self.keeps_hashes)


def _as_op(op: Any) -> Op:
    """Return an OP, also of an object of a class written for Data-Juicer."""
    if isinstance(op, AdaptedMapper):
        return FunctionMapper(function=adapted_mapper(op))
    if isinstance(op, AdaptedFilter):
        decided = adapted_filter(op)

        def with_stats(row: Row) -> tuple[Row, bool]:
            row, is_kept = decided(row)
            return row[STATS], is_kept

        return FunctionFilter(function=with_stats)
    [made] = load_ops(op)
    return made


def load_peer_ops(process: Any, *_: Any, **__: Any) -> list[Op]:
    """Make the OPs of a recipe's ``process``, with the methods that scripts for Data-Juicer call."""
    return [peer(op) for op in load_ops(process)]
