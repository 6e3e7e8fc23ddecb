"""Grids of shaking as ShakeMap writes them (grid.xml): intensity or ground motion at nodes, to bands."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
from affine import Affine
from lxml import etree
from pydantic import Field

from geoservice.hazards.earthquake import ROMAN
from geoservice.hazards.grading import Breaks, Floats, GradeOf, Grid, ascending, band_grade, bands_of_cells
from geoservice.hazards.method import Estimates, Found, HazardMethod, Parameters, Wanted
from geoservice.hazards.shapes import Grade, ranked
from layers.errors import BadBody, BadParameter, TooLarge
from layers.hazard import Band, ZoneClass
from layers.model import Text

MOST_NODES = 1_000_000
MOST_CHARACTERS = 100_000_000
INTENSITIES = tuple(float(degree) for degree in range(6, 13))
_GRAVITY = 9.80665
_PARTS = 100.0
_STRONG = 6.0
_POLE, _HALF_TURN, _FAR = 90.0, 180.0, 540.0
_DIGITS = 6
_TOLD = ("event_id", "magnitude", "depth", "lat", "lon", "event_timestamp", "event_description")
_HALF_TURN, _QUARTER_TURN = 180.0, 90.0
_NEARLY = 0.05
"""Share of a spacing by which nodes may lie beside the grid: coordinates are written with few digits."""


class ShakeParameters(Parameters):
    """A grid.xml of ShakeMap, and which of its fields makes the zone."""

    DOCUMENTS: ClassVar[tuple[str, ...]] = ("grid_xml",)

    grid_xml: str = Field(min_length=1, max_length=MOST_CHARACTERS, description="The document, as text.")
    field: str = Field(default="MMI", pattern=r"^[A-Za-z0-9_.]{1,40}$", description="Name of a field of the grid.")
    scale: Literal["field", "gb-t-17742"] = Field(
        default="field", description="The field itself, or instrumental intensity of PGA and PGV (GB/T 17742-2020)."
    )
    breaks: Breaks | None = Field(default=None, description="Where classes begin; intensities 6 to 12 when absent.")
    sigma: str | None = Field(
        default=None, pattern=r"^[A-Za-z0-9_.]{1,40}$", description="Field with the standard deviation at each node."
    )
    value_error: float | None = Field(default=None, ge=0, le=1e6, description="One deviation for all nodes instead.")


@dataclass(frozen=True)
class ShakeGrid:
    """A grid of nodes: fields by name (rows from the north), their units, cells around the nodes, the event."""

    fields: Mapping[str, Floats]
    units: Mapping[str, str]
    transform: Affine
    event: Mapping[str, str]

    def field(self, name: str) -> Floats:
        """Values of a field.

        Raises:
            BadParameter: When there is none of this name.
        """
        if name not in self.fields:
            raise BadParameter(
                f"The grid has the fields {', '.join(sorted(self.fields))}; not {name}.", parameter="field"
            )
        return self.fields[name]


def instrumental_intensity(pga: Floats, pgv: Floats) -> Floats:
    """Instrumental intensity of GB/T 17742-2020: 3.17 lg PGA + 6.59 and 3.00 lg PGV + 9.77.

    The mean of both, or that of the velocity where both are 6 and more; from 1 to 12.

    Args:
        pga: Peak acceleration in m/s2.
        pgv: Peak velocity in m/s.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        by_acceleration, by_velocity = 3.17 * np.log10(pga) + 6.59, 3.00 * np.log10(pgv) + 9.77
        strong = (by_acceleration >= _STRONG) & (by_velocity >= _STRONG)
        found = np.where(strong, by_velocity, (by_acceleration + by_velocity) / 2)
    return np.clip(found, 1.0, float(len(ROMAN)))


def read_shake_grid(text: str) -> ShakeGrid:
    """Read a grid.xml. Nothing outside the document is looked at, and entities are refused.

    Raises:
        BadBody: When it is no such document, or its numbers do not fit its own description.
        TooLarge: When it has too many nodes.
    """
    root = _root(text)
    names = {part: f"{{{etree.QName(root).namespace or ''}}}{part}".replace("{}", "") for part in _PARTS_OF}
    spec, data = root.find(names["grid_specification"]), root.find(names["grid_data"])
    declared = [(int(one.get("index", "0")), one) for one in root.findall(names["grid_field"])]
    if spec is None or data is None or not declared:
        raise BadBody("grid.xml has grid_specification, grid_field and grid_data; this document does not.")
    order = [one for _, one in sorted(declared, key=lambda pair: pair[0])]
    columns, rows = _whole(spec, "nlon"), _whole(spec, "nlat")
    if columns * rows > MOST_NODES:
        raise TooLarge(f"The grid has more than {MOST_NODES} nodes.", limit=MOST_NODES)
    table = _numbers(data.text or "", len(order), columns * rows)
    event = root.find(names["event"])
    return _gridded(table, order, (columns, rows), dict(event.attrib) if event is not None else {})


_PARTS_OF = ("grid_specification", "grid_data", "grid_field", "event")


def _root(text: str) -> Any:
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=True)
    try:
        root = etree.fromstring(text.encode(), parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise BadBody(f"grid.xml is not well-formed XML: {str(error)[:120]}.") from None
    if root.getroottree().docinfo.doctype:
        raise BadBody("grid.xml has no document type declaration; this one does.")
    return root


def _whole(spec: Any, name: str) -> int:
    value = spec.get(name, "")
    if not value.isascii() or not value.isdigit() or not 1 < int(value[:9]) <= MOST_NODES:
        raise BadBody(f"grid_specification has a whole number {name} above 1; {value[:20]!r} is none.")
    return int(value)


def _numbers(text: str, fields: int, nodes: int) -> Floats:
    try:
        values = np.array(text.split(), dtype=np.float64)
    except ValueError as error:
        raise BadBody(f"grid_data has something that is no number: {str(error)[:80]}.") from None
    if values.size != fields * nodes:
        raise BadBody(f"grid_data has {values.size} numbers; {nodes} nodes of {fields} fields were expected.")
    return values.reshape(nodes, fields)


def _gridded(table: Floats, order: list[Any], shape: tuple[int, int], event: dict[str, str]) -> ShakeGrid:
    names = [str(one.get("name", "")) for one in order]
    if not {"LON", "LAT"} <= set(names) or len(set(names)) < len(names):
        raise BadBody("grid.xml has one field LON, one field LAT, and no field twice.")
    lon, lat = table[:, names.index("LON")], table[:, names.index("LAT")]
    # Nodes may come in any order: from the north, and in each row from the west.
    nodes = np.lexsort((lon, -np.round(lat, _DIGITS)))
    transform = _transform(lon[nodes], lat[nodes], shape)
    columns, rows = shape
    fields = {name: table[nodes, n].reshape(rows, columns) for n, name in enumerate(names)}
    units = {name: str(one.get("units", "")) for name, one in zip(names, order, strict=True)}
    return ShakeGrid(fields, units, transform, event)


def _transform(lon: Floats, lat: Floats, shape: tuple[int, int]) -> Affine:
    """From column and row to degrees, with nodes in the middle of cells; nodes that make no grid are refused."""
    columns, rows = shape
    x, y = np.linspace(lon.min(), lon.max(), columns), np.linspace(lat.max(), lat.min(), rows)
    wide, high = (x[-1] - x[0]) / (columns - 1), (y[0] - y[-1]) / (rows - 1)
    within = np.abs(lat).max() <= _POLE and np.abs(lon).max() <= _FAR and x[-1] - x[0] + wide <= 2 * _HALF_TURN
    even = (
        wide > 0
        and high > 0
        and bool(
            (np.abs(lon.reshape(rows, columns) - x) <= wide * _NEARLY).all()
            and (np.abs(lat.reshape(rows, columns) - y[:, None]) <= high * _NEARLY).all()
        )
    )
    if not (within and even):
        raise BadBody("The nodes of grid.xml make an even grid of longitudes and latitudes within the world.")
    return Affine(wide, 0.0, x[0] - wide / 2, 0.0, -high, y[0] + high / 2)


def _values(told: ShakeParameters, grid: ShakeGrid) -> tuple[Floats, str]:
    if told.scale == "field":
        return grid.field(told.field), grid.units.get(told.field) or "1"
    # ShakeMap writes accelerations in per cent of g and velocities in cm/s.
    return instrumental_intensity(grid.field("PGA") * _GRAVITY / _PARTS, grid.field("PGV") / _PARTS), "intensity"


def _grade_of(intensity: bool, unit: str) -> GradeOf:
    def grade(at_least: float, below: float | None) -> Grade:
        if intensity and at_least == int(at_least) and 1 <= at_least <= len(ROMAN):
            roman = ROMAN[int(at_least) - 1]
            band = Band(unit="intensity", at_least=at_least, below=below)
            return Grade(roman, Text(zh=f"烈度{roman}度", en=f"Intensity {roman}"), band)
        return band_grade(unit, at_least, below)

    return grade


def _estimate(told: ShakeParameters, found: Found) -> Estimates:
    grid = read_shake_grid(told.grid_xml)
    values, unit = _values(told, grid)
    intensity = told.scale != "field" or told.field.upper() == "MMI"
    if told.breaks is None and not intensity:
        raise BadParameter(f"Give breaks: {told.field} is no intensity.", parameter="breaks")
    breaks = ascending(told.breaks) if told.breaks is not None else INTENSITIES
    deviation = grid.field(told.sigma) if told.sigma is not None else told.value_error

    def at(sign: int) -> tuple[ZoneClass, ...]:
        shifted = values if deviation is None else values + sign * deviation
        return ranked(bands_of_cells(Grid(shifted, grid.transform, None), breaks, _grade_of(intensity, unit)))

    event = {name: grid.event[name] for name in _TOLD if name in grid.event}
    return Estimates(
        best=at(0),
        low=None if deviation is None else at(-1),
        high=None if deviation is None else at(1),
        nothing=Text(zh="格网中没有结点达到最低等级。", en="No node of the grid reaches the lowest class."),
        looked=_box(grid, values),
        resolved={"event": event, "breaks": list(breaks)},
    )


def _box(grid: ShakeGrid, values: Floats) -> tuple[float, float, float, float] | None:
    """The box of the cells of a grid; None where no node has a value, so that nobody knows how it shook there."""
    if not np.isfinite(values).any():
        return None
    rows, columns = values.shape
    (west, north), (east, south) = grid.transform @ (0, 0), grid.transform @ (columns, rows)
    lon = [(one + _HALF_TURN) % (2 * _HALF_TURN) - _HALF_TURN for one in (west, east)]
    return lon[0], max(south, -_QUARTER_TURN), lon[1], min(north, _QUARTER_TURN)


def _nothing_wanted(told: ShakeParameters, found: Found) -> Mapping[str, Wanted]:
    return {}


GRID = HazardMethod(
    id="shakemap",
    version="1",
    kind="earthquake",
    title=Text(zh="震动图格网", en="Grid of shaking (ShakeMap)"),
    abstract=Text(
        zh="导入 ShakeMap 的 grid.xml，按烈度或地震动分级。",
        en="An imported grid.xml of ShakeMap, by intensity or ground motion.",
    ),
    source="USGS ShakeMap grid.xml; instrumental intensity by GB/T 17742-2020: 3.17 lg PGA + 6.59, 3.00 lg PGV + 9.77. "
    "A node stands for the cell around it.",
    uncertainty=Text(
        zh="各节点减、加一倍标准差；未给出时无。", en="One standard deviation less and more at each node, where given."
    ),
    parameters=ShakeParameters,
    wanted=_nothing_wanted,
    estimate=_estimate,
)
