"""Zipped Shapefiles: one per family of geometries, texts in UTF-8 or GBK, and a list that maps cut names back.

A dBASE table knows names of ten bytes, texts of 254 bytes and no times, so some things change on the way; `names.csv`
in the archive says what became of which attribute, and how many texts were cut.
"""

from __future__ import annotations

import csv
import io
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow as pa

from geoservice.formats.drivers import split, write_gdal
from geoservice.formats.subject import GEOMETRY, KEY, Batches, Subject
from geoservice.formats.text import defused, moments
from layers.errors import NotAcceptable

NAMES, ABOUT = "names.csv", "about.json"
_NAME_BYTES, _TEXT_BYTES = 10, 254
_MOST_BYTES = 2_000_000_000
"""Parts of a Shapefile address their records by 32 bits; a file is closed well before that."""
_TYPES = {"point": "Point", "multipoint": "MultiPoint", "line": "MultiLineString", "polygon": "MultiPolygon"}
_DEFAULTS = {"point": "point", "line": "line", "polygon": "polygon", "any": "point"}
_PARTS = (".shp", ".shx", ".dbf", ".prj", ".cpg")


def write_shapefile(subject: Subject, batches: Batches, file: Path) -> None:
    """A ZIP archive with the Shapefiles, `names.csv` and `about.json`.

    Raises:
        NotAcceptable: When a text cannot be written in the encoding, a geometry is a collection, or the result is
            larger than a Shapefile can be.
    """
    names = short_names((KEY, *subject.attributes))
    cut = dict.fromkeys(names, 0)
    with TemporaryDirectory(dir=file.parent) as place:
        folder = Path(place)
        for batch in batches:
            _write_batch(subject, _fitted(subject, batch, names, cut), folder)
        if not any(folder.iterdir()):
            _write_batch(subject, _fitted(subject, _no_rows(subject), names, cut), folder, empty=True)
        _pack(subject, folder, file, _list_of(subject, names, cut))


def _no_rows(subject: Subject) -> pa.RecordBatch:
    return pa.RecordBatch.from_pylist([], schema=subject.schema)


def short_names(names: tuple[str, ...]) -> dict[str, str]:
    """Each name with the one that it has in a dBASE table: at most ten characters, told apart by a number."""
    found: dict[str, str] = {}
    for name in names:
        short, number = name[:_NAME_BYTES], 1
        while short in found.values():
            tail = f"_{number}"
            short, number = name[: _NAME_BYTES - len(tail)] + tail, number + 1
        found[name] = short
    return found


def _fitted(subject: Subject, batch: pa.RecordBatch, names: dict[str, str], cut: dict[str, int]) -> pa.RecordBatch:
    """A batch with types and names that a dBASE table has."""
    columns: dict[str, pa.Array] = {}
    for name, short in names.items():
        values = batch.column(name)
        if pa.types.is_timestamp(values.type):
            values = moments(values)
        elif pa.types.is_boolean(values.type):
            values = values.cast(pa.int32())
        elif pa.types.is_string(values.type):
            values = _texts(subject, name, values, cut)
        columns[short] = values
    if subject.spatial:
        columns[GEOMETRY] = batch.column(GEOMETRY)
    return pa.RecordBatch.from_pydict(columns)


def _texts(subject: Subject, name: str, values: pa.Array, cut: dict[str, int]) -> pa.Array:
    """Texts of at most 254 bytes in the encoding of the table, cut between characters."""
    found: list[str | None] = []
    for text in values.to_pylist():
        kept = text
        if text is not None:
            try:
                written = text.encode(subject.encoding)
            except UnicodeEncodeError as error:
                sign = text[error.start]
                raise NotAcceptable(
                    f"The attribute {name} holds the character {sign!r}, which {subject.encoding.upper()} cannot "
                    "write; ask for encoding=utf-8."
                ) from None
            if len(written) > _TEXT_BYTES:
                kept = written[:_TEXT_BYTES].decode(subject.encoding, "ignore")
                cut[name] += 1
        found.append(kept)
    return pa.array(found, pa.string())


def _write_batch(subject: Subject, batch: pa.RecordBatch, folder: Path, *, empty: bool = False) -> None:
    if not subject.spatial:
        _append(subject, batch, folder / f"{subject.layer.name}.dbf", "None")
        return
    default = _DEFAULTS[subject.geometry_type]
    parts = [(default, batch)] if empty else split(batch, default)
    for family, part in parts:
        if family not in _TYPES:
            raise NotAcceptable("A Shapefile cannot hold geometry collections; ask for another format.")
        suffix = "" if family == default else f"_{family}"
        _append(subject, part, folder / f"{subject.layer.name}{suffix}.shp", _TYPES[family])


def _append(subject: Subject, batch: pa.RecordBatch, file: Path, kind: str) -> None:
    if file.exists() and max(part.stat().st_size for part in file.parent.glob(f"{file.stem}.*")) > _MOST_BYTES:
        raise NotAcceptable("The result is larger than a Shapefile can be; ask for another format or a smaller area.")
    options = {
        "layer": file.stem,
        "append": file.exists(),
        "encoding": subject.encoding.upper(),
        "geometry_type": kind if subject.spatial else None,
    }
    write_gdal(subject, batch.schema, [batch], file, driver="ESRI Shapefile", options=options)


def _list_of(subject: Subject, names: dict[str, str], cut: dict[str, int]) -> str:
    text = io.StringIO(newline="")
    rows = csv.writer(text)
    rows.writerow(["field", "attribute", "title_en", "title_zh", "unit", "cut_texts"])
    for name, short in names.items():
        attribute = subject.layer.attributes.get(name)
        title = attribute.title if attribute is not None else None
        unit = attribute.unit if attribute is not None else None
        titles = defused(pa.array([title.en, title.zh] if title is not None else ["", ""])).to_pylist()
        rows.writerow([short, name, *titles, unit or "", cut[name]])
    return text.getvalue()


def _pack(subject: Subject, folder: Path, file: Path, names: str) -> None:
    about = json.dumps(subject.about.facts(), ensure_ascii=False, indent=1)
    with zipfile.ZipFile(file, "x", zipfile.ZIP_DEFLATED) as archive:
        for part in _parts(folder):
            archive.write(part, part.name)
            part.unlink()
        archive.writestr(NAMES, "\ufeff" + names)
        archive.writestr(ABOUT, about)


def _parts(folder: Path) -> Iterator[Path]:
    """The files of the Shapefiles in a stable order, without what GDAL leaves beside them."""
    yield from sorted(part for part in folder.iterdir() if part.suffix in _PARTS)
