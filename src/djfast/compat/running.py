"""Running recipes by Data-Juicer's names: ``DefaultExecutor(init_configs([...])).run()``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from djfast.api import run
from djfast.compat.config import Config, init_configs
from djfast.compat.datasets import NestedDataset, load_peer_ops
from djfast.recipe.load import Recipe
from djfast.runners.report import Report


class DefaultExecutor:
    """Runs a recipe and returns its result as a data set.

    Attributes
    ----------
    report : Report or None
        What the last run did.
    """

    def __init__(self, cfg: Config | None = None) -> None:
        self.cfg = init_configs() if cfg is None else cfg
        self.report: Report | None = None

    def run(self, dataset: NestedDataset | None = None, **options: Any) -> NestedDataset | None:
        """Run the recipe, or its OPs on a data set in memory.

        Parameters
        ----------
        dataset : NestedDataset, optional
            Takes the place of the recipe's input.
        **options
            ``skip_export`` writes nothing of a data set in memory, ``skip_return`` returns None; others have no effect.
        """
        if dataset is not None:
            made = dataset.process(load_peer_ops(self.cfg.process))
            if not options.get("skip_export"):
                self.report = made.export(self.cfg.export_path, keep_stats=bool(self.cfg.keep_stats_in_res_ds))
        else:
            self.report = run(vars(self.cfg))
            paths, texts = list(self.report.export_paths), _texts(self.cfg.recipe())
            made = NestedDataset.from_files(paths, texts=texts)  # type: ignore[assignment]
        return None if options.get("skip_return") else made

    def sample_data(self, *_: Any, **__: Any) -> NestedDataset:
        """Refuse: there is no sampling by this name."""
        raise NotImplementedError("djfast has no sample_data; a weight in dataset_path or random_selector draws rows")


class DatasetBuilder:
    """Reads the input of a recipe, mixtures included."""

    def __init__(self, cfg: Config, executor_type: str = "default") -> None:
        del executor_type
        self.cfg = cfg

    def load_dataset(self, **_: Any) -> NestedDataset:
        """Return the rows; they are read when they are asked for."""
        return NestedDataset._of(_RecipeInput(self.cfg.recipe()))  # type: ignore[arg-type,return-value]


class _RecipeInput:
    """Rows of a recipe's input."""

    def __init__(self, recipe: Recipe) -> None:
        self.recipe = recipe

    def carrier(self, **kept: bool) -> Any:
        """Return what carries the rows."""
        from djfast.runners.inputs import draw, rows_of, source_files

        groups = source_files(self.recipe)
        keys = {"keep_stats_in_res_ds": kept["keeps_stats"], "keep_hashes_in_res_ds": kept["keeps_hashes"]}
        recipe = self.recipe._replace(settings={**self.recipe.settings, **keys})
        rows = rows_of([file for group in groups for file in group], recipe, 1 << 20)
        return draw(rows, recipe, groups)

    def __str__(self) -> str:
        return ", ".join(map(str, self.recipe.settings["inputs"]))


class Analyzer:
    """Stands where Data-Juicer's class is, and says that djfast has none."""

    def __init__(self, *_: Any, **__: Any) -> None:
        raise NotImplementedError("djfast has no Analyzer yet; Dataset.compute_stats(ops).to_list(stats=True) gives all stats")


class ExecutorFactory:
    """Names the class that runs recipes."""

    @staticmethod
    def create_executor(executor_type: str = "default") -> type[DefaultExecutor]:
        """Return the one engine that djfast has, whatever its name is there."""
        del executor_type
        return DefaultExecutor


class Tracer:
    """Stands where Data-Juicer's class is, and says that djfast has none."""

    def __init__(self, *_: Any, **__: Any) -> None:
        raise NotImplementedError("djfast has no Tracer yet; the report has the rows into and out of each OP")


def _texts(recipe: Recipe) -> Sequence[str]:
    return list(recipe.settings["text_keys"])
