"""The rule of the worst single factor, which most standards share."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Literal

from layers.indices.answer import ClassOf, Judged
from layers.indices.tables import classes


def worst_of(found: Sequence[Judged], scale: str) -> tuple[ClassOf | None, tuple[str, ...]]:
    """The class of the worst item, and the items of that class; none are named when all keep the best class."""
    order = [one.code for one in classes(scale)]
    places = {one.item: order.index(one.grade.code) for one in found if one.grade is not None}
    if not places:
        return None, ()
    worst = max(places.values())
    named = tuple(item for item, place in places.items() if place == worst) if worst > 0 else ()
    return classes(scale)[worst], named


def excess_of(name: str, compared: Decimal, limit: Decimal) -> dict[str, float]:
    """By how many times an upper limit is exceeded, at two decimals; nothing when it is kept."""
    return {name: round(float((compared - limit) / limit), 2)} if compared > limit > 0 else {}


def partial_or_complete(missing: Sequence[str]) -> Literal["complete", "partial"]:
    """Whether something is missing."""
    return "partial" if missing else "complete"
