"""What a printed map shows, as values."""

from __future__ import annotations

from dataclasses import dataclass

from layers.maplibre import LegendClass
from layers.model import Text
from web.sheet.marks import Mark


@dataclass(frozen=True, slots=True)
class Group:
    """A layer of the legend: its title, the classes of it that are in view, and how many of them there are in all."""

    title: Text
    classes: tuple[LegendClass, ...]


@dataclass(frozen=True, slots=True)
class SheetView:
    """What a printed map says beside the map.

    Attributes:
        languages: `zh`, `en`, or both.
        title, subtitle, remark: As they were asked for; may be empty.
        scale: Denominator of the scale at the middle of the map.
        north: Where true north points at the middle, in degrees clockwise from the upper side.
        legend: Layers in view; None when no legend is wanted.
        facts: Sentences that must be known: review number, CRS, date, sources.
        grid: Lines and labels of the grid.
        fictional: Whether made-up data are in view.
        exercise: Whether it belongs to an exercise.
    """

    languages: tuple[str, ...]
    title: str
    subtitle: str
    remark: str
    scale: int
    north: float
    legend: tuple[Group, ...] | None
    facts: tuple[str, ...]
    grid: tuple[Mark, ...] = ()
    fictional: bool = False
    exercise: bool = False
