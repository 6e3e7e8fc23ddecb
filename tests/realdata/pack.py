"""The real data pack: its inventory, and the table that says what becomes of each of its files.

The table is `pack.csv`: one row for each layer that a file feeds, or one row for a file that is refused. `read`,
`loaded`, `quarantined` and `not_selected` count rows (assets for rasters), `loaded` being inserted, updated and
unchanged together. Layers that the product does not bring are defined in the folder `agency`, as an agency would.
"""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass
from pathlib import Path

from layers.catalog import Catalog, read_catalog

HERE = Path(__file__).parent
AGENCY = HERE / "agency"
UNCOUNTED = (".cap", ".edxlde", ".atom", ".dat")
"""Files that the inventory counts as one, and a table without header that it counts one short."""


@dataclass(frozen=True)
class Expectation:
    """What becomes of a file in one layer: its counts, or words of the sentence that refuses it; and why."""

    file: str
    layer: str
    mapping: str
    counts: tuple[int, int, int, int]
    refused: str
    note: str

    def __str__(self) -> str:
        """Name of the test case."""
        return f"{self.file}-{self.layer.partition('/')[2] or 'refused'}"


def expectations() -> list[Expectation]:
    """The rows of the table, in the order of the manifest."""
    with (HERE / "pack.csv").open(encoding="utf-8", newline="") as handle:
        return [_expectation(row) for row in csv.DictReader(handle)]


def _expectation(row: dict[str, str]) -> Expectation:
    read, loaded, quarantined, left = (int(row[n] or 0) for n in ("read", "loaded", "quarantined", "not_selected"))
    counts = (read, loaded, quarantined, left)
    return Expectation(row["file"], row["layer"], row["mapping"], counts, row["refused"], row["note"])


def agency_catalog() -> Catalog:
    """The layers of the product and those of the agency."""
    return read_catalog(AGENCY)


def listed(real_data: Path) -> list[str]:
    """Files of the pack's manifest."""
    with (real_data / "MANIFEST.csv").open(encoding="utf-8", newline="") as handle:
        return [row["file"] for row in csv.DictReader(handle)]


def stated(real_data: Path, file: Path) -> int | None:
    """Features of a file by the pack's inventory, when it is one layer and counts rows."""
    inventory = (real_data / "README.md").read_text(encoding="utf-8")
    place = re.escape(f"{file.parent.name}/{file.name}")
    found = re.search(rf"^\| {place} \|[^|]*\|[^|]*\| ([\d,]+) \|", inventory, re.MULTILINE)
    return int(found[1].replace(",", "")) if found and file.suffix not in UNCOUNTED else None
