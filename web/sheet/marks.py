"""What a printed map is put together from: words, lines, areas and discs at places of the paper.

One list of them is drawn twice: as the page that becomes a PDF file, and by the renderer of maps as a picture.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

INK, GREY, WHITE, ALERT = "#1f2328", "#57606a", "#ffffff", "#b3261e"
Point: TypeAlias = tuple[float, float]
Anchor = Literal["start", "middle", "end"]


@dataclass(frozen=True, slots=True)
class Words:
    """A line of text; the place is at half its height, at its start, middle or end. `turn` is clockwise in degrees."""

    at: Point
    text: str
    size: float
    anchor: Anchor = "start"
    colour: str = INK
    bold: bool = False
    turn: float = 0.0


@dataclass(frozen=True, slots=True)
class Stroke:
    """A line through places; `dash` gives lengths of its pieces and gaps."""

    points: tuple[Point, ...]
    width: float
    colour: str = INK
    dash: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True)
class Patch:
    """A filled area, by its corners in turn."""

    corners: tuple[Point, ...]
    fill: str


@dataclass(frozen=True, slots=True)
class Disc:
    """A filled circle with an edge."""

    at: Point
    radius: float
    fill: str
    edge: str = WHITE


Mark: TypeAlias = Words | Stroke | Patch | Disc


@dataclass(frozen=True, slots=True)
class Rect:
    """A rectangle: its upper left corner, width and height."""

    x: float
    y: float
    width: float
    height: float

    @property
    def right(self) -> float:
        """Its right side."""
        return self.x + self.width

    @property
    def bottom(self) -> float:
        """Its lower side."""
        return self.y + self.height

    @property
    def corners(self) -> tuple[Point, Point, Point, Point]:
        """Its corners, clockwise from the upper left one."""
        return (self.x, self.y), (self.right, self.y), (self.right, self.bottom), (self.x, self.bottom)

    @property
    def ring(self) -> tuple[Point, ...]:
        """Its outline, closed."""
        return (*self.corners, (self.x, self.y))

    def grown(self, by: float) -> Rect:
        """The same with all sides moved outwards."""
        return Rect(self.x - by, self.y - by, self.width + 2 * by, self.height + 2 * by)
