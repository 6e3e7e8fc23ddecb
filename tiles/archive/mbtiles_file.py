"""MBTiles 1.3: an SQLite database of tiles, each equal tile once; rows count from the south."""

from __future__ import annotations

import json
import os
import sqlite3
from contextlib import closing
from pathlib import Path

from tiles.archive.pmtiles_file import Description, Written, first_of_each
from tiles.archive.shelf import Shelf

_FORMATS = {"mvt": "pbf", "jpeg": "jpg"}
_PRAGMAS = ("PRAGMA journal_mode = OFF", "PRAGMA synchronous = OFF", "PRAGMA application_id = 1297105496")
"""The application id of SQLite files that are MBTiles is "MPBX"."""
_APART = ("name", "description", "attribution", "version", "type")


def write_mbtiles(file: Path, shelf: Shelf, names: tuple[str, ...], about: Description) -> Written:
    """Write the archive of all parts; the file is there whole or not at all. Arguments as `write_pmtiles`."""
    index = shelf.index(names)
    index.sort(order=["z", "x", "y"])
    first, which = first_of_each(index)
    fresh = file.with_name(f"{file.name}.new")
    fresh.unlink(missing_ok=True)
    with closing(sqlite3.connect(fresh, isolation_level=None)) as made:
        # Nothing of it counts before the file has its name.
        for pragma in _PRAGMAS:
            made.execute(pragma)
        made.executescript(Path(__file__).with_name("mbtiles.sql").read_text(encoding="utf-8"))
        made.execute("BEGIN")
        bodies = enumerate(shelf.bodies(names, index[first]))
        made.executemany("INSERT INTO images (tile_id, tile_data) VALUES (?, ?)", bodies)
        rows = zip(index["z"].tolist(), index["x"].tolist(), index["y"].tolist(), which.tolist(), strict=True)
        turned = ((z, x, (1 << z) - 1 - y, content) for z, x, y, content in rows)
        made.executemany("INSERT INTO map (zoom_level, tile_column, tile_row, tile_id) VALUES (?, ?, ?, ?)", turned)
        zooms = int(index["z"].min()), int(index["z"].max())
        made.executemany("INSERT INTO metadata (name, value) VALUES (?, ?)", sorted(_metadata(about, zooms).items()))
        made.execute("COMMIT")
    descriptor = os.open(fresh, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    fresh.rename(file)
    return Written(len(index), len(first), file.stat().st_size)


def _metadata(about: Description, zooms: tuple[int, int]) -> dict[str, str]:
    """Members that the standard names by themselves; all others, `vector_layers` among them, as one JSON text."""
    west, south, east, north = about.bounds
    low, high = zooms
    own = {name: str(about.metadata[name]) for name in _APART if name in about.metadata}
    rest = {name: value for name, value in about.metadata.items() if name not in _APART}
    return own | {
        "format": _FORMATS.get(about.kind, about.kind),
        "bounds": f"{west:.7f},{south:.7f},{east:.7f},{north:.7f}",
        "center": f"{(west + east) / 2:.7f},{(south + north) / 2:.7f},{low}",
        "minzoom": str(low),
        "maxzoom": str(high),
        "json": json.dumps(rest, ensure_ascii=False, sort_keys=True),
    }
