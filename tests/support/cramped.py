"""Writes a file of each format where no file can grow beyond some bytes, as on a full disk; a program of its own,
because the limit holds for all that a process writes.

Prints a JSON object: by format, the name of the exception that came, or null when the writer said nothing.
"""

from __future__ import annotations

import json
import os
import resource
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pyarrow as pa
import shapely
from lxml.etree import LxmlError

from geoservice.exports.wish import ExportInputs, subject_of
from geoservice.formats.known import EXPORT_FORMATS
from layers.access import ANONYMOUS, decide
from layers.catalog import read_catalog
from layers.extent import Extent
from layers.model import VectorLayer
from tests.support.loading import LEVELS, trial_layer

ROWS, MOST_BYTES = 10_000, 200_000
CODES = [f"c{number}" for number in range(ROWS)]


def broken(form: str, folder: Path) -> str | None:
    """The exception with which a format fails."""
    surfaces = {"geometry": "polygon", "style": {"fill": "#aabbcc"}}
    layer = trial_layer("trial", label={"zh": "name", "en": "name"}, **({} if form == "csv-xy" else surfaces))
    assert isinstance(layer, VectorLayer)
    inputs = ExportInputs(collection="trial", f=form, crs="EPSG:4523" if form == "boundary" else None)
    catalog = read_catalog(None).with_([layer], [LEVELS])
    subject, _ = subject_of(inputs, layer, decide(ANONYMOUS, "read", layer), catalog, Extent(105, 30, 106, 31))
    places = np.random.default_rng(7).uniform(105, 106, (ROWS, 2))
    shapes = shapely.points(places)
    if layer.geometry == "polygon":
        shapes = shapely.box(places[:, 0], places[:, 1], places[:, 0] + 0.01, places[:, 1] + 0.01)
    known = {"key": CODES, "code": CODES, "geom": shapely.to_wkb(shapes)}
    schema = subject.schema
    columns = [pa.array(known.get(field.name, [None] * ROWS), field.type) for field in schema]
    try:
        EXPORT_FORMATS[form].write(
            subject, iter([pa.record_batch(columns, schema=schema)]), folder / f"file{EXPORT_FORMATS[form].suffix}"
        )
    except (OSError, RuntimeError, LxmlError) as error:
        return type(error).__name__
    return None


def main() -> None:
    """Try each format."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (MOST_BYTES, MOST_BYTES))
    found = {}
    for form in EXPORT_FORMATS:
        with TemporaryDirectory() as folder:
            found[form] = broken(form, Path(folder))
    print(json.dumps(found), flush=True)
    # Libraries that could not write would try again, and say so, while the interpreter ends.
    os._exit(0)


if __name__ == "__main__":
    sys.exit(main())
