"""Points for rows that have an address and no coordinates, from the address book beside the source."""

from __future__ import annotations

import re
import sqlite3
from pathlib import Path

import numpy as np
import shapely

from ingest.addressing import normalise
from ingest.casting import as_text
from ingest.notes import Notes
from ingest.readers.source import Chunk
from ingest.rows import Rows, shown
from layers.errors import SourceUnreadable
from layers.sources import Address

BOOK_NAME = "geoservice-places.sqlite"
_SHOWN = 3
_HOUSE = re.compile(r"\d.*$")


class AddressBook:
    """The addresses of a reference layer, looked up in a file that `ingest.places` wrote."""

    def __init__(self, file: Path, address: Address, notes: Notes) -> None:
        """Open the book.

        Raises:
            SourceUnreadable: When it is not there; the loader puts it beside the source.
        """
        if not file.is_file():
            raise SourceUnreadable(f"The addresses of {address.layer} were not handed to the reader.")
        self._book = sqlite3.connect(f"file:{file}?mode=ro&immutable=1", uri=True)
        self._address = address
        self._notes = notes

    def place(self, rows: Rows, chunk: Chunk) -> None:
        """Give the rows without a geometry the point (EPSG:4490) of their address; refuse those without exactly one."""
        if rows.geometry is None:
            rows.geometry = np.full(len(rows), None, dtype=object)
        column = chunk.fields.get(self._address.field)
        if column is None:
            return
        texts = as_text(column).to_pylist()
        done: list[int] = []
        for row in np.flatnonzero(shapely.is_missing(rows.geometry) & rows.good):
            text = (texts[row] or "").strip()
            if not text:
                continue
            found = self._find(text)
            if isinstance(found, str):
                rows.refuse(int(row), found)
            else:
                rows.geometry[row] = found
                done.append(int(row))
        if done:
            message = f"Rows were placed by the addresses of {self._address.layer}."
            self._notes.add("address", "info", message, rows.position[done])

    def _find(self, text: str) -> shapely.Point | str:
        """The one point of an address, or the sentence that says why there is none."""
        wanted = normalise(text)
        entries = self._book.execute("SELECT region, address, lon, lat FROM place WHERE place = ?", (wanted.place,))
        fits = [e for e in entries if wanted.may_be(tuple(filter(None, e[0].split("|"))))]
        spots = {(lon, lat) for _, _, lon, lat in fits}
        if len(spots) == 1:
            return shapely.Point(*spots.pop())
        layer = self._address.layer
        if fits:
            several = self._listed(sorted({(a, lon, lat) for _, a, lon, lat in fits}))
            return f"The address {shown(text)} is {len(spots)} places in {layer}: {several}."
        near = self._near(wanted.place)
        hint = f"; the street has {self._listed(near)}" if near else ""
        return f"The address {shown(text)} is not in {layer}{hint}."

    def _near(self, place: str) -> list[tuple[str, float, float]]:
        """Entries of the same street."""
        street = _HOUSE.sub("", place)
        if not street:
            return []
        statement = "SELECT address, lon, lat FROM place WHERE place >= ? AND place < ? ORDER BY place LIMIT ?"
        found: list[tuple[str, float, float]] = self._book.execute(
            statement, (street, street + "\U0010ffff", _SHOWN)
        ).fetchall()
        return found

    @staticmethod
    def _listed(entries: list[tuple[str, float, float]]) -> str:
        first = ", ".join(f"{shown(a)} ({lon:.6f}, {lat:.6f})" for a, lon, lat in entries[:_SHOWN])
        return first + (f" and {len(entries) - _SHOWN} more" if len(entries) > _SHOWN else "")
