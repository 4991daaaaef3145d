"""The input of a recipe: its files, what carries their rows, and the rows that a mixture draws from them."""

from __future__ import annotations

import math
import re
from array import array
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from djfast.access import Access, beside
from djfast.errors import InputError, RecipeError
from djfast.io.compression import allow_window
from djfast.io.read.files import discover, file_size
from djfast.io.read.formats import INPUT_FORMATS, InputFile, ReadOptions, reader_of
from djfast.io.read.json_forms import head_of
from djfast.io.read.overlap import refuse_overlap
from djfast.io.read.splits import Split, default_split_bytes, splits_of
from djfast.io.remote import sign_in
from djfast.io.write.results import check_reach
from djfast.recipe.load import Recipe
from djfast.recipe.outputs import is_remote
from djfast.recipe.sources import Source, Sources
from djfast.records import NamedTuple
from djfast.reserved import META, STATS, STDIN, STDOUT
from djfast.rows.json_rows import JsonRows
from djfast.runners.delivery import output_of

if TYPE_CHECKING:
    from djfast.rows.carrier import Block, FileCarrier

_MOST_SHUFFLED = 2**32
_HEAD_BYTES = 1 << 16
_COUNTED_BYTES = 1 << 20  # of rows that are counted only, in one batch


class Counted(NamedTuple):
    """Rows and lines of a split."""

    rows: int
    lines: int


def text_keys(recipe: Recipe) -> list[str]:
    """Fields that must hold a string in every row."""
    given = recipe.settings["text_keys"]
    return [given] if isinstance(given, str) else list(given)


def input_files(recipe: Recipe, notices: list[str] | None = None) -> list[InputFile]:
    """Find the input of a recipe; what may surprise is added to `notices`."""
    return [file for files in source_files(recipe, notices) for file in files]


def source_files(recipe: Recipe, notices: list[str] | None = None) -> list[list[InputFile]]:
    """Find the files of each source of a recipe.

    Raises
    ------
    RecipeError
        If there is no source, or if the run would read what it writes.
    InputError
        If a source has none.
    """
    settings = recipe.settings
    sources = settings["sources"].listed
    if not sources:
        raise RecipeError("there is no input: dataset_path, dataset or generated_dataset_config must name one, got none")
    _prepare(recipe)
    try:
        groups = [_files_of(source, list(settings["suffixes"]), notices) for source in sources]
    except InputError as error:
        is_cut = bool(settings["dataset_path"].split()[1:]) and not {*settings["dataset_path"]} & {"'", '"'}
        if not is_cut or ", got" not in str(error):
            raise
        said, _, given = str(error).partition(", got")
        raise InputError(f"{said}; dataset_path is split at spaces, so put a path that has some in quotes, got{given}") from error
    output = output_of(recipe)
    if output.path == STDOUT:
        from djfast.io.write.standard_output import refuse_same_file

        refuse_same_file([file.path for files in groups for file in files])
        return groups
    if not is_remote(output.path):
        check_reach(output.path)
    for source, files in zip(sources, groups):
        refuse_overlap(
            str(settings["export_path"]),
            output.suffix,
            in_shards=bool(output.shard_bytes or output.shard_rows),
            places=source.paths,
            files=[file.path for file in files if source.generated is None],
            suffixes=source.suffixes or settings["suffixes"],
        )
    return groups


def _prepare(recipe: Recipe) -> None:
    """Hand over what the recipe says about how to get at its sources; every process does so."""
    allow_window(int(recipe.settings["zst_window"]))
    for source in recipe.settings["sources"].listed:
        for path in source.paths:
            sign_in(path, source.options)


def _files_of(source: Source, suffixes: list[str], notices: list[str] | None) -> list[InputFile]:
    if source.generated is not None:
        from djfast.io.read.generated_rows import generated_file

        return [generated_file(*source.generated)]
    return [file for path in source.paths for file in discover(path, list(source.suffixes) or suffixes, notices)]


def access_of(recipe: Recipe) -> Access:
    """Return which files and addresses the rows of a recipe may name: those beside its input, and what OPs save."""
    settings = recipe.settings
    paths = [path for source in settings["sources"].listed for path in source.paths]
    inputs = [path for path in paths if path != STDIN and not is_remote(path)]
    return Access.of(settings["local_roots"], beside(inputs, [getattr(op, "save_dir", None) for op in recipe.ops]))


def rows_of(files: Sequence[InputFile], recipe: Recipe, batch_bytes: int, *, longest_row: int | None = None) -> FileCarrier:
    """Return the carrier of the input's rows. One that is longer than `longest_row` bytes is rejected, for its memory."""
    _prepare(recipe)
    settings = {
        "adds_suffix": bool(recipe.settings["add_suffix"]),
        "keeps_stats": bool(recipe.settings["keep_stats_in_res_ds"]),
        "keeps_hashes": bool(recipe.settings["keep_hashes_in_res_ds"]),
    }
    return carrier_of(
        files,
        batch_bytes=batch_bytes,
        longest_row=longest_row,
        memory=int(recipe.settings["memory"]),
        texts=tuple(text_keys(recipe)),
        **settings,
    )


def bring_stats(files: Sequence[InputFile]) -> bool:
    """Tell whether the rows of the first file have stats or meta, as its beginning says."""
    if not files:
        return False
    file = files[0]
    if INPUT_FORMATS[file.format].reader is None:
        head = head_of(file.path)
        return any(name in head and re.search(rb'"%s"\s*:' % name, head) for name in (STATS.encode(), META.encode()))
    if INPUT_FORMATS[file.format].is_document or INPUT_FORMATS[file.format].is_stream:
        return False  # texts, which hold none
    return not {STATS, META}.isdisjoint(reader_of(file).schema(file, ReadOptions(_HEAD_BYTES)).names)


def carrier_of(
    files: Sequence[InputFile],
    *,
    batch_bytes: int,
    longest_row: int | None = None,
    memory: int | None = None,
    texts: tuple[str, ...] = (),
    **settings: bool,
) -> FileCarrier:
    """Return the carrier of the rows of files.

    Raises
    ------
    RecipeError
        If some are lines of JSON and others are not.
    """
    formats = {file.format for file in files}
    are_lines = {INPUT_FORMATS[name].reader is None for name in formats}
    if len(are_lines) > 1:
        raise RecipeError(
            f"one run reads either JSON or other formats, got {', '.join(sorted(formats))}; name one kind with `suffixes`"
        )
    if are_lines == {False}:
        from djfast.rows.arrow_rows import FileRows

        rows = FileRows(files, batch_bytes=batch_bytes, texts=texts, memory=memory, **settings)
        rows.longest_row = longest_row
        return rows
    return JsonRows(files, batch_bytes=batch_bytes, longest_line=longest_row, **settings)


def is_drawn(sources: Sources) -> bool:
    """Tell whether not just all rows of all sources are read."""
    return (
        sources.most is not None
        or any(source.limit is not None for source in sources.listed)
        or (sources.shares and any(source.weight != 1 for source in sources.listed))
    )


def described(sources: Sources) -> Any:
    """Return what decides which rows are drawn, as JSON data."""
    return [sources.most, sources.shares, [[source.weight, source.limit] for source in sources.listed]]


def counted(rows: FileCarrier, splits: Sequence[Split]) -> list[Counted]:
    """Count the rows of splits: one pass over lines, the metadata of tables that have some."""
    return [Counted(*rows.count(split)) for split in splits]


class DrawnRows:
    """The rows that a mixture draws, in the order of the input; in all else as the carrier that reads them.

    A row that is drawn several times comes several times in a row.

    Parameters
    ----------
    rows : JsonRows or FileRows
        Reads all rows.
    drawn : mapping of Split to positions
        Which rows of each split are taken.
    lines : mapping of Split to int
        Lines of each split.
    notices : sequence of str, optional
        What may surprise about the sources.
    """

    def __init__(
        self, rows: FileCarrier, drawn: Mapping[Split, Sequence[int]], lines: Mapping[Split, int], notices: Sequence[str] = ()
    ) -> None:
        self.notices = tuple(notices)
        self._rows = rows
        self._drawn = drawn
        self._lines = lines

    def __getattr__(self, name: str) -> Any:
        return getattr(self._rows, name)

    @property
    def counts(self) -> dict[Split, int]:
        """How many rows are drawn from each split."""
        return {split: len(rows) for split, rows in self._drawn.items()}

    def items(self) -> Iterator[Block]:
        """Read the drawn rows; their numbers count in their files."""
        file, before = -1, 0
        for split, lines in self._lines.items():
            if split.file != file:
                file, before = split.file, 0
            for block in self.read(split):
                yield block.counted_from(before)
            before += lines

    def read(self, split: Split) -> Iterator[Block]:
        """Read the drawn rows of a split; their numbers count from its first row."""
        positions = self._drawn[split]
        begin = first = lines = 0
        for block in self._rows.read(split):
            count, block_lines = self._rows.count_block(block)
            end = bisect_left(positions, first + count, begin)
            yield self._rows.pick(block, [position - first for position in positions[begin:end]], lines)
            begin, first, lines = end, first + count, lines + block_lines


def drawn_rows(
    rows: FileCarrier, sources: Sources, files: Sequence[int], splits: Sequence[Split], counts: Sequence[Counted]
) -> DrawnRows:
    """Draw from the sources.

    With a number of rows in all, each source gets ``ceil(number * weight)`` of them, the weights adding up to 1, and the sum
    not exceeding the number; a source without rows has no share in it. With shares, ``ceil(rows * weight)``. The rows are the
    first ones of a fixed shuffle of the source, and if it has fewer, all of it again and again.

    Parameters
    ----------
    files : sequence of int
        Number of files of each source.
    splits, counts
        Of all files, in their order.
    """
    source_of = [number for number, count in enumerate(files) for _ in range(count)]
    sizes = [0] * len(files)
    for split, count in zip(splits, counts):
        sizes[source_of[split.file]] += count.rows
    sizes = [size if source.limit is None else min(size, source.limit) for size, source in zip(sizes, sources.listed)]
    wanted = shares_of(sources, sizes)
    drawn: dict[Split, Sequence[int]] = {}
    number, first = -1, 0
    repeats, extra = 0, array("Q")
    for split, count in zip(splits, counts):
        if source_of[split.file] != number:
            number, first = source_of[split.file], 0
            repeats, extra = _drawn(sizes[number], wanted[number])
        end = min(first + count.rows, sizes[number])
        some = [row - first for row in extra[bisect_left(extra, first) : bisect_left(extra, end)]]
        each = [row for row in range(max(0, end - first)) for _ in range(repeats)] if repeats else []
        drawn[split] = array("Q", sorted(each + some))
        first += count.rows
    lines = {split: count.lines for split, count in zip(splits, counts)}
    return DrawnRows(rows, drawn, lines, _without_rows(sources, sizes))


def _without_rows(sources: Sources, sizes: Sequence[int]) -> list[str]:
    """Return a notice on the sources that should give rows and have none."""
    empty = [path for source, size in zip(sources.listed, sizes) if source.weight and not size for path in source.paths]
    if not empty:
        return []
    also = "" if sources.most is None else "; the others have its share"
    return [f"nothing is drawn from a source without rows{also}, got {', '.join(empty)}"]


def shares_of(sources: Sources, sizes: Sequence[int]) -> list[int]:
    """Return how many rows are drawn from sources of some sizes."""
    if sources.most is None:
        if not sources.shares:
            return list(sizes)
        return [math.ceil(size * source.weight) for source, size in zip(sources.listed, sizes)]
    total = sum(source.weight for source, size in zip(sources.listed, sizes) if size)
    wanted: list[int] = []
    for source, size in zip(sources.listed, sizes):
        share = math.ceil(sources.most * (source.weight / total)) if size and source.weight else 0
        wanted.append(min(share, sources.most - sum(wanted)))
    return wanted


def _drawn(size: int, wanted: int) -> tuple[int, array[int]]:
    """Return how often all rows are taken, and which ones once more."""
    if size == 0:
        return 0, array("Q")
    repeats, rest = divmod(wanted, size)
    if rest == 0:
        return repeats, array("Q")
    if size > _MOST_SHUFFLED:
        raise InputError(f"rows can be drawn from sources of at most {_MOST_SHUFFLED} rows, got {size}")
    from djfast.runners.permutation import permutation

    return repeats, array("Q", sorted(permutation(size)[:rest]))


def files_to_read(recipe: Recipe, groups: Sequence[Sequence[InputFile]]) -> Sequence[InputFile]:
    """Return the files whose rows, or some of them, a recipe reads."""
    files = [file for group in groups for file in group]
    limit = recipe.settings["limit"]
    if limit is None or is_drawn(recipe.settings["sources"]):
        return files
    from djfast.runners.first_rows import first_files

    return first_files(rows_of(files, recipe, _COUNTED_BYTES), files, limit)


def draw(rows: FileCarrier, recipe: Recipe, groups: Sequence[Sequence[InputFile]]) -> FileCarrier:
    """Return the carrier of the rows that a recipe draws, or of the first ones; `rows` where it reads all."""
    sources: Sources = recipe.settings["sources"]
    if is_drawn(sources):
        files = [file for group in groups for file in group]
        splits = splits_of(files, default_split_bytes(sum(file_size(file.path) for file in files)))
        rows = drawn_rows(rows, sources, [len(group) for group in groups], splits, counted(rows, splits))
    if recipe.settings["limit"] is None:
        return rows
    from djfast.runners.first_rows import FirstRows

    return FirstRows(rows, recipe.settings["limit"])
