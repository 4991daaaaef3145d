"""What OPs write, and what they need besides djfast itself: packages, models, word lists, a language model that is asked."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

from djfast.declare import Op, OpSpec
from djfast.errors import RecipeError
from djfast.functions import PYTHON_FUNCTIONS, Requirement
from djfast.models.addresses import address_of
from djfast.plan.build import build_plan
from djfast.plan.overview import stats_and_tags, written
from djfast.plan.resources import fetchable, resource_names
from djfast.plan.steps import Compute, Plan, Rewrite
from djfast.records import NamedTuple


class Resource(NamedTuple):
    """A model, tokenizer or word list, by its name. `djfast fetch` knows where to get some."""

    name: str
    can_be_fetched: bool


class Needs(NamedTuple):
    """What a plan needs; `asks` are the language models that it asks at a server."""

    packages: tuple[Requirement, ...] = ()
    resources: tuple[Resource, ...] = ()
    asks: tuple[str, ...] = ()

    def lines(self) -> list[str]:
        """Return them in words, each kind with what gets it."""
        lines = []
        if self.packages:
            extras = sorted({each.extra for each in self.packages if each.extra})
            remedy = f" (pip install 'djfast[{','.join(extras)}]')" if extras else ""
            lines.append(f"packages {', '.join(each.module for each in self.packages)}{remedy}")
        fetched = [each.name for each in self.resources if each.can_be_fetched]
        lines += [f"{', '.join(fetched)} (djfast fetch RECIPE)"] if fetched else []
        others = [each.name for each in self.resources if not each.can_be_fetched]
        lines += [f"{', '.join(others)} (a path, or in the folder of models)"] if others else []
        lines += [f"a language model, {name}, at a server (OPENAI_BASE_URL)" for name in self.asks]
        return lines


def needs_of(plan: Plan) -> Needs:
    """Return what a plan needs."""
    steps = [step for stage in plan.stages for step in (*stage.steps, stage.rewrite) if isinstance(step, Compute | Rewrite)]
    packages = dict.fromkeys(each for step in steps if step.fn in PYTHON_FUNCTIONS for each in PYTHON_FUNCTIONS[step.fn].requires)
    resources: dict[Resource, None] = {}
    asks: dict[str, None] = {}
    for step in steps:
        for name, value in step.params:
            found = fetchable(step.fn, (name, value))
            can_be_fetched = found is not None and address_of(found.name) is not None
            names = [found.name] if found is not None else resource_names(step.fn, (name, value))
            resources.update(dict.fromkeys(Resource(each, can_be_fetched) for each in names))
            if name == "asking" and not dict(value)["is_hf_model"]:
                asks[dict(value)["model"]] = None
    return Needs(tuple(packages), tuple(resources), tuple(asks))


def written_by(spec: OpSpec) -> list[str]:
    """Return what an OP writes as it is by default, and as its example has it: fields, stats and tags by their names."""
    return list(dict.fromkeys(name for op in _forms(spec) for name in written(op)))


def stats_and_tags_of(spec: OpSpec) -> list[str]:
    """Return the names of the stats and tags among these."""
    return list(dict.fromkeys(name for op in _forms(spec) for name in stats_and_tags(op)))


def needed_by(spec: OpSpec) -> Needs:
    """Return what an OP needs as it is by default, or as its example has it if it needs parameters."""
    op = next(_forms(spec), None)
    return Needs() if op is None else needs_of(build_plan([op]))


def _forms(spec: OpSpec) -> Iterator[Op]:
    """Yield an OP as it is by default, and with the parameters of its example; none of one that stands for others."""
    if spec.kind == "fused":
        return
    with suppress(RecipeError):  # some parameters must be given
        yield spec.cls()
    if spec.examples:
        yield spec.cls(**spec.examples[0].params)
