"""What the confined press gets to make the PDF file of a printed map."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from geoservice.confined.frames import packed

FORM = "sheet"
"""Name of the file among those that the press makes."""


@dataclass(frozen=True)
class SheetOrder:
    """A page of a printed map, and the title of the document."""

    page: bytes
    title: str
    wanted: ClassVar[frozenset[str]] = frozenset({FORM})

    def message(self) -> bytes:
        """The order as it goes to a child."""
        return packed({"title": self.title}, {"page": self.page})
