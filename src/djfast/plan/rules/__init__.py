"""Rewrites of plans, one a file: pure functions from a plan to another one that gives the same rows.

A rule has a name under which a recipe switches it off (``rules: {order_filters: false}``), and says in ``djfast plan`` what it
did. Adding one takes its file and its line in `RULES`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection

from djfast.plan.rules import order_filters
from djfast.plan.steps import Plan, Stage
from djfast.records import NamedTuple


class Rule(NamedTuple):
    """One rewrite.

    Attributes
    ----------
    name, summary : str
        Key of recipes below ``rules``, and what the rule does, for the reference of keys.
    rewrite : callable
        ``rewrite(plan)`` returns the plan with the rule applied.
    says : callable
        ``says(plan, stage)`` returns what it did to a stage of the rewritten plan; None if nothing.
    """

    name: str
    summary: str
    rewrite: Callable[[Plan], Plan]
    says: Callable[[Plan, Stage], str | None]


RULES = (
    Rule(
        "order_filters",
        "Neighbouring filters run in the order of their cost, the cheap ones first. The result does not depend on it.",
        order_filters.order_filters,
        order_filters.says,
    ),
)


def optimized(plan: Plan, without: Collection[str] = ()) -> Plan:
    """Return a plan with all rules applied, in their order, but those that are named."""
    for rule in RULES:
        if rule.name not in without:
            plan = rule.rewrite(plan)
    return plan
