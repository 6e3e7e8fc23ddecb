"""Hazard zones as values: ranks without gaps, and estimates that fall back to the best one."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from layers.hazard import HazardZone, Method, ZoneClass
from layers.model import Text

NAME = Text(zh="测试", en="Trial")
BOX = {"type": "Polygon", "coordinates": [[[0, 0], [1, 0], [1, 1], [0, 1], [0, 0]]]}
METHOD = Method(id="drawn", version="1", source="drawn by hand", title=NAME)


def graded(*ranks: int) -> tuple[ZoneClass, ...]:
    return tuple(ZoneClass(code=f"c{rank}", label=NAME, rank=rank, geometry=BOX) for rank in ranks)


def test_the_worst_class_comes_first_without_gaps() -> None:
    zone = HazardZone(kind="drawn", label=NAME, method=METHOD, classes=graded(1, 2), high=graded(1, 2, 3))
    assert [one.code for one in zone.bound("high")] == ["c1", "c2", "c3"]
    assert zone.bound("low") == zone.bound("best") == zone.classes
    assert HazardZone.model_validate_json(zone.model_dump_json()) == zone


def test_a_zone_without_classes_says_where_was_looked() -> None:
    zone = HazardZone(kind="flood", label=NAME, method=METHOD, classes=(), looked=(170.0, -1.0, -170.0, 1.0))
    assert zone.bound("high") == ()
    assert zone.identified().id != zone.model_copy(update={"looked": (170.0, -1.0, -171.0, 1.0)}).identified().id
    for looked in (None, (0.0, 2.0, 1.0, 1.0), (0.0, 0.0, 181.0, 1.0)):
        with pytest.raises(ValidationError):
            HazardZone(kind="flood", label=NAME, method=METHOD, classes=(), looked=looked)


def test_zones_with_classes_keep_the_id_that_they_had() -> None:
    """The id was worked out before zones could say where was looked; kept zones and signed reports name it."""
    zone = HazardZone(kind="drawn", label=NAME, method=METHOD, classes=graded(1)).identified()
    assert b"looked" not in zone.canonical()
    assert zone.id == "2e343dcafa7eb39ea5fc2ba3a6699822"


@pytest.mark.parametrize("ranks", [(), (2,), (2, 1), (1, 3), (1, 1)])
def test_other_orders_are_refused(ranks: tuple[int, ...]) -> None:
    with pytest.raises(ValidationError):
        HazardZone(kind="drawn", label=NAME, method=METHOD, classes=graded(*ranks))
