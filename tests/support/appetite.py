"""Measures how much more memory a format takes for nine times the rows; a program of its own, because what a process
had at most is known of the whole process alone (Linux).

Prints a JSON object: growth in bytes by format, and as `hoard` that of a writer which keeps all rows.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pyarrow as pa
import shapely

from geoservice.exports.wish import ExportInputs, subject_of
from geoservice.formats.known import EXPORT_FORMATS
from geoservice.formats.subject import Batches, Subject, Write
from layers.access import ANONYMOUS, decide
from layers.catalog import Catalog
from layers.model import VectorLayer
from tests.support.loading import LEVELS, trial_layer

FORMS = ("parquet", "gpkg", "ndjson")
FEW, MANY = 2, 18
ROWS, CORNERS = 2_000, 200
BATCH_BYTES = ROWS * CORNERS * 16


def batches(subject: Subject, number: int) -> Iterator[pa.RecordBatch]:
    """Rows with large surfaces, made one batch after the other; no two are alike, so that none can be packed away."""
    random, schema = np.random.default_rng(number), subject.schema
    angles = np.linspace(0, 2 * np.pi, CORNERS, endpoint=False)
    for batch in range(number):
        sizes = random.uniform(0.1, 0.2, (ROWS, CORNERS))
        rings = np.stack([105 + sizes * np.cos(angles), 35 + sizes * np.sin(angles)], axis=2)
        codes = [f"{batch}-{row}" for row in range(ROWS)]
        known: dict[str, Any] = {"key": codes, "code": codes, "geom": shapely.to_wkb(shapely.polygons(rings))}
        yield pa.record_batch(
            [pa.array(known.get(field.name, [None] * ROWS), field.type) for field in schema], schema=schema
        )


def hoard(subject: Subject, found: Batches, file: Path) -> None:
    """Keep all rows before any is written."""
    file.write_text(str(len(list(found))))


def grown(form: str, write: Write) -> int:
    """How many bytes more a writer had for many rows than for few."""
    layer = trial_layer("trial", geometry="polygon", style={"fill": "#aabbcc"})
    assert isinstance(layer, VectorLayer)
    catalog = Catalog().with_([layer], [LEVELS])
    subject, _ = subject_of(
        ExportInputs(collection="trial", f=form), layer, decide(ANONYMOUS, "read", layer), catalog, None
    )
    most = []
    for number in (FEW, MANY):
        with TemporaryDirectory() as folder:
            write(subject, batches(subject, number), Path(folder) / f"file{EXPORT_FORMATS[form].suffix}")
        most.append(at_most())
    return most[1] - most[0]


def at_most() -> int:
    """The most memory (bytes, resident) that this program had so far."""
    found = re.search(r"^VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text(), re.MULTILINE)
    assert found is not None
    return int(found.group(1)) << 10


def main() -> None:
    """Measure each format; the control comes last, because what it takes is never given back."""
    growth = {form: grown(form, EXPORT_FORMATS[form].write) for form in FORMS}
    print(json.dumps({**growth, "hoard": grown(FORMS[0], hoard)}))


if __name__ == "__main__":
    main()
