"""Boundary-point files (界址点 TXT) of land offices, written as a template says and as ingest reads them.

Coordinates are northing (x) and easting (y) in a Gauss-Krueger zone of CGCS2000, to 0.1 mm. Which attribute fills which
column of the header is what the layer's own source mapping for such files says; without one, the public key is the
number of a parcel and the label its name. Rows without a geometry have no points and are left out.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import shapely

from geoservice.formats.shapes import shapes_of
from geoservice.formats.subject import KEY, Batches, Subject
from layers.boundary import SQUARE_METRES, BoundaryTemplate
from layers.errors import NotAcceptable
from layers.gauss import Grid, grid_of
from layers.model import VectorLayer

_NUMBER, _NAME = "地块编号", "地块名称"
_WORDS = {0: "点", 1: "线", 2: "面"}
_RING = 2


def write_boundary(subject: Subject, batches: Batches, file: Path) -> None:
    """A boundary-point file in UTF-8.

    Raises:
        NotAcceptable: When the CRS is no Gauss-Krueger zone of CGCS2000, or not in the form that the template wants.
    """
    template, grid = _template(subject), grid_for(subject)
    columns = _columns(subject, template)
    with file.open("x", encoding="utf-8", newline="\r\n") as handle:
        handle.writelines(line + "\n" for line in _head(subject, grid))
        for batch in batches:
            for row, shape in zip(_rows(batch, columns), shapes_of(batch), strict=True):
                if shape is not None and not shapely.is_empty(shape):
                    handle.writelines(line + "\n" for line in _parcel(template, row, shape))


def _template(subject: Subject) -> BoundaryTemplate:
    if subject.template is None:
        raise NotAcceptable("A boundary-point file follows a template; none is known here.")
    return subject.template


def grid_for(subject: Subject) -> Grid:
    """The Gauss-Krueger zone of the coordinates.

    Raises:
        NotAcceptable: When there is none, or eastings are not in the form that the template wants.
    """
    grid = grid_of(subject.crs)
    if grid is None or grid.datum != "cgcs2000":
        raise NotAcceptable(
            "Boundary points are written in a Gauss-Krueger zone of CGCS2000; ask for one, such as crs=EPSG:4527."
        )
    wanted = _template(subject).prefix
    if (wanted == "required" and not grid.prefixed) or (wanted == "none" and grid.prefixed):
        form = "with" if wanted == "required" else "without"
        raise NotAcceptable(f"The template wants eastings {form} zone number; ask for the other form of the zone.")
    return grid


def _head(subject: Subject, grid: Grid) -> Iterator[str]:
    about = subject.about
    yield "[属性描述]"
    facts: dict[str, Any] = {
        "格式版本号": "1.01版本",
        "数据产生单位": _plain(about.authority),
        "数据产生日期": "" if about.committed is None else f"{about.committed:%Y-%m-%d}",
        "坐标系": "2000国家大地坐标系",
        "几度分带": grid.zone.width,
        "投影类型": "高斯克吕格",
        "计量单位": "米",
        "带号": grid.zone.number,
        "精度": "0.0001",
        "转换参数": "0,0,0,0,0,0,0",
        **{name: _plain(str(value)) for name, value in about.facts().items() if name not in ("authority", "committed")},
    }
    yield from (f"{name}={value}" for name, value in facts.items())
    yield "[地块坐标]"


def _columns(subject: Subject, template: BoundaryTemplate) -> dict[str, str]:
    """Header column -> column of the batches that fills it."""
    layer = subject.layer
    found = {_NUMBER: KEY} if _NUMBER in template.header else {}
    if isinstance(layer, VectorLayer) and layer.label is not None and _NAME in template.header:
        found[_NAME] = layer.label.zh
    for mapping in layer.sources.values():
        if mapping.template is not None or mapping.format == "boundary":
            found |= {field: name for field, name in mapping.fields.items() if field in template.header}
    return {field: name for field, name in found.items() if name in (KEY, *subject.attributes)}


def _rows(batch: pa.RecordBatch, columns: dict[str, str]) -> Iterator[dict[str, str]]:
    values = {field: batch.column(name).to_pylist() for field, name in columns.items()}
    for place in range(batch.num_rows):
        yield {field: _text(found[place]) for field, found in values.items()}


def _text(value: Any) -> str:
    return "" if value is None else str(value)


def _plain(text: str) -> str:
    """A text of one line."""
    return " ".join(text.split())


def _parcel(template: BoundaryTemplate, values: dict[str, str], shape: shapely.Geometry) -> Iterator[str]:
    separator = template.separators[0]
    dimension = int(shapely.get_dimensions(shape))
    rings = [ring for part in shapely.get_parts(shape) for ring in _lines(part)]
    points = [_points(template, ring, closed=dimension == _RING) for ring in rings]
    count = sum(map(len, points))
    if template.count.of == "corners" and template.closing != "open" and dimension == _RING:
        count -= len(points)
    made = {**values, template.count.column: str(count)}
    if template.area is not None and dimension == _RING:
        made[template.area.column] = f"{shapely.area(shape) / SQUARE_METRES[template.area.unit]:.8f}"
    if template.shape is not None:
        made[template.shape] = _WORDS[dimension]
    yield separator.join([*(_cell(template, made.get(name, "")) for name in template.header), template.end])
    number = 0
    for ring, places in enumerate(points, start=1):
        for place in places:
            number += 1
            yield separator.join(_point(template, number, ring, place))


def _lines(part: shapely.Geometry) -> list[shapely.Geometry]:
    rings = shapely.get_rings(part)
    return list(rings) if len(rings) else [part]


def _points(template: BoundaryTemplate, ring: shapely.Geometry, *, closed: bool) -> list[list[float]]:
    places: list[list[float]] = shapely.get_coordinates(ring).tolist()
    return places[:-1] if closed and template.closing == "open" else places


def _point(template: BoundaryTemplate, number: int, ring: int, place: list[float]) -> Iterator[str]:
    east, north = place
    parts = {"label": f"J{number}", "ring": str(ring), "x": f"{north:.4f}", "y": f"{east:.4f}", "-": ""}
    return (parts[part] for part in template.point)


_INSTEAD = (";", "、", "_", " ")
"""What stands for a separator inside a text: the first of these that is none in the template itself."""


def _cell(template: BoundaryTemplate, text: str) -> str:
    """A text that neither ends a column nor looks like the end of a header."""
    found = _plain(text)
    instead = next(sign for sign in _INSTEAD if sign not in template.separators)
    for separator in template.separators:
        found = found.replace(separator, instead)
    return found.replace(template.end, "")
