"""Map sheets of GB/T 13989-2012: which sheet holds a point, what a sheet covers, its neighbours and its former number.

The globe is cut into cells of 6 by 4 degrees (1:1 000 000), and each cell into rows from the north and columns from the
west. Everything is counted in eighths of an arc second, in which the sides of all scales are whole numbers, so that no
sheet is missed by rounding. Western and southern edges belong to a sheet, eastern and northern edges do not.
The plain division ends at 60 degrees north, where the international one joins sheets; China ends at 53.6.
Sources: GB/T 13989-2012, 4 (numbering) and annex A; former numbers are those used before 1992.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction

from layers.errors import BadParameter
from layers.extent import MAX_LON, Extent

EIGHTHS = 3600 * 8
"""Eighths of an arc second in a degree."""
WIDE, HIGH = 6 * EIGHTHS, 4 * EIGHTHS
"""Sides of a 1:1 000 000 sheet, west to east and south to north, in eighths of an arc second."""
ROWS = "ABCDEFGHIJKLMNO"
"""Letters of the rows from the equator to 60 degrees north."""
COLUMNS = 60
_NANO = 10**9
_EXPECTED = "a sheet number of GB/T 13989 such as J50 or J50E001010, or a former one such as J-50-5-B, was expected"


@dataclass(frozen=True, slots=True)
class Scale:
    """One scale of the national series.

    Attributes:
        denominator: 1 000 000 to 500.
        letter: Its letter in a number; empty at 1:1 000 000.
        parts: Rows, and as many columns, in a sheet of 1:1 000 000.
        digits: Digits of a row or a column number.
    """

    denominator: int
    letter: str
    parts: int
    digits: int

    @property
    def width(self) -> int:
        """Side from west to east in eighths of an arc second."""
        return WIDE // self.parts

    @property
    def height(self) -> int:
        """Side from south to north in eighths of an arc second."""
        return HIGH // self.parts


SCALES: tuple[Scale, ...] = (
    Scale(1_000_000, "", 1, 0),
    Scale(500_000, "B", 2, 3),
    Scale(250_000, "C", 4, 3),
    Scale(100_000, "D", 12, 3),
    Scale(50_000, "E", 24, 3),
    Scale(25_000, "F", 48, 3),
    Scale(10_000, "G", 96, 3),
    Scale(5_000, "H", 192, 3),
    Scale(2_000, "I", 576, 3),
    Scale(1_000, "J", 1152, 4),
    Scale(500, "K", 2304, 4),
)
_BY_LETTER = {scale.letter: scale for scale in SCALES}
_BY_DENOMINATOR = {scale.denominator: scale for scale in SCALES}
_NINTHS, _THOUSANDS = 2_000, 5_000
_COMPASS = {
    "north": (0, 1),
    "north-east": (1, 1),
    "east": (1, 0),
    "south-east": (1, -1),
    "south": (0, -1),
    "south-west": (-1, -1),
    "west": (-1, 0),
    "north-west": (-1, 1),
}


@dataclass(frozen=True, slots=True)
class Sheet:
    """One sheet, as its place in the division of the globe.

    Attributes:
        scale: Its scale.
        across: How many sheets of this scale lie between 180 degrees west and its western edge.
        up: How many sheets of this scale lie between the equator and its southern edge.
    """

    scale: Scale
    across: int
    up: int

    @property
    def number(self) -> str:
        """Its number, such as J50E001010."""
        parts, digits = self.scale.parts, self.scale.digits
        whole = f"{ROWS[self.up // parts]}{self.across // parts + 1:02d}"
        if not digits:
            return whole
        return f"{whole}{self.scale.letter}{self.row:0{digits}d}{self.column:0{digits}d}"

    @property
    def row(self) -> int:
        """Row in the sheet of 1:1 000 000, from 1 in the north."""
        return self.scale.parts - self.up % self.scale.parts

    @property
    def column(self) -> int:
        """Column in the sheet of 1:1 000 000, from 1 in the west."""
        return self.across % self.scale.parts + 1

    @property
    def extent(self) -> Extent:
        """What it covers, in degrees (longitude, latitude): the nearest numbers to the exact edges."""
        west, south = self.across * self.scale.width - 30 * WIDE, self.up * self.scale.height
        edges = (west, south, west + self.scale.width, south + self.scale.height)
        return Extent(*(float(Fraction(edge, EIGHTHS)) for edge in edges))

    @property
    def centre(self) -> tuple[float, float]:
        """Longitude and latitude of its middle, in degrees."""
        box = self.extent
        return (box.west + box.east) / 2, (box.south + box.north) / 2

    @property
    def former(self) -> str | None:
        """The number that it had before 1992; None at 1:250 000 and from 1:2 000, where uses differed or none was."""
        named = _FORMER.get(self.scale.denominator)
        return None if named is None else f"{ROWS[self.up // self.scale.parts]}-{self._column_of_cell}{named(self)}"

    @property
    def quarter_number(self) -> str | None:
        """At 1:2 000 the other number that the standard allows: that of the 1:5 000 sheet, and 1 to 9 inside it."""
        if self.scale.denominator != _NINTHS:
            return None
        parent = self.at(_BY_DENOMINATOR[_THOUSANDS])
        place = (2 - self.up % 3) * 3 + self.across % 3 + 1
        return f"{parent.number}-{place}"

    @property
    def _column_of_cell(self) -> int:
        return self.across // self.scale.parts + 1

    def at(self, scale: Scale) -> Sheet:
        """The sheet of a smaller scale that holds this one; of a larger scale, the one in its south-western corner."""
        west, south = self.across * self.scale.width, self.up * self.scale.height
        return Sheet(scale, west // scale.width, south // scale.height)

    def neighbours(self) -> dict[str, Sheet]:
        """The sheets around it by compass direction; those beyond the equator or 60 degrees north are left out."""
        columns, rows = COLUMNS * self.scale.parts, len(ROWS) * self.scale.parts
        return {
            name: Sheet(self.scale, (self.across + east) % columns, self.up + north)
            for name, (east, north) in _COMPASS.items()
            if 0 <= self.up + north < rows
        }

    def parts(self, scale: Scale) -> Iterator[Sheet]:
        """The sheets of a larger scale inside it, from the north-west, row by row.

        Raises:
            BadParameter: When the sheets of that scale do not divide this one evenly.
        """
        if scale.parts % self.scale.parts:
            raise BadParameter(
                f"Sheets of 1:{scale.denominator} do not divide one of 1:{self.scale.denominator}.", parameter="scale"
            )
        ratio = scale.parts // self.scale.parts
        for up in range(ratio - 1, -1, -1):
            for across in range(ratio):
                yield Sheet(scale, self.across * ratio + across, self.up * ratio + up)


def _within(sheet: Sheet, denominator: int) -> int:
    """Place of a sheet inside the sheet of a smaller scale, from 1 in the north-west, row by row."""
    outer = _BY_DENOMINATOR[denominator]
    ratio = sheet.scale.parts // outer.parts
    return (ratio - 1 - sheet.up % ratio) * ratio + sheet.across % ratio + 1


def _hundred(sheet: Sheet) -> str:
    return f"-{_within(sheet.at(_BY_DENOMINATOR[100_000]), 1_000_000)}"


def _fifty(sheet: Sheet) -> str:
    return f"{_hundred(sheet)}-{'ABCD'[_within(sheet.at(_BY_DENOMINATOR[50_000]), 100_000) - 1]}"


def _ten(sheet: Sheet) -> str:
    return f"{_hundred(sheet)}-({_within(sheet.at(_BY_DENOMINATOR[10_000]), 100_000)})"


_FORMER: dict[int, Callable[[Sheet], str]] = {
    1_000_000: lambda sheet: "",
    500_000: lambda sheet: f"-{'ABCD'[_within(sheet, 1_000_000) - 1]}",
    100_000: _hundred,
    50_000: _fifty,
    25_000: lambda sheet: f"{_fifty(sheet)}-{_within(sheet, 50_000)}",
    10_000: _ten,
    5_000: lambda sheet: f"{_ten(sheet)}-{'abcd'[_within(sheet, 10_000) - 1]}",
}


def scale_of(denominator: int) -> Scale:
    """The scale of the series with this denominator.

    Raises:
        BadParameter: When the series has none, naming those it has.
    """
    scale = _BY_DENOMINATOR.get(denominator)
    if scale is None:
        known = ", ".join(str(s.denominator) for s in SCALES)
        raise BadParameter(f"GB/T 13989 has no scale 1:{denominator}; it has {known}.", parameter="scale")
    return scale


def sheet_at(lon: float, lat: float, scale: Scale) -> Sheet:
    """The sheet that holds a point (degrees, rounded to 1e-9 first); western and southern edges are its own.

    Raises:
        BadParameter: When the point does not lie between the equator and 60 degrees north.
    """
    east, north = round((lon + 180) * _NANO) * EIGHTHS, round(lat * _NANO) * EIGHTHS
    across, up = east // (scale.width * _NANO), north // (scale.height * _NANO)
    if not 0 <= up < len(ROWS) * scale.parts or abs(lon) > MAX_LON:
        raise BadParameter(
            "Sheets are numbered between the equator and 60 degrees north; the point "
            f"{lon:.6f}, {lat:.6f} (longitude, latitude) lies outside.",
            parameter="lat",
        )
    return Sheet(scale, across % (COLUMNS * scale.parts), up)


def sheets_in(extent: Extent, scale: Scale) -> tuple[int, Iterator[Sheet]]:
    """The sheets that share more than an edge with an extent, from the north-west, row by row; and how many they are.

    What of the extent lies beyond the equator or 60 degrees north has none.
    """
    ranges = [_range(box, scale) for box in extent.boxes()]
    count = sum(len(rows) * len(columns) for columns, rows in ranges)
    found = (Sheet(scale, across, up) for columns, rows in ranges for up in reversed(rows) for across in columns)
    return count, found


def _range(box: tuple[float, float, float, float], scale: Scale) -> tuple[range, range]:
    west, south, east, north = (round(edge * _NANO) * EIGHTHS for edge in box)
    west, east = west + 30 * WIDE * _NANO, east + 30 * WIDE * _NANO
    wide, high = scale.width * _NANO, scale.height * _NANO
    columns = range(max(west // wide, 0), min(-(-east // wide), COLUMNS * scale.parts))
    rows = range(max(south // high, 0), min(-(-north // high), len(ROWS) * scale.parts))
    return columns, rows


_NUMBER = re.compile(r"([A-O])(\d{2})(?:([B-I])(\d{3})(\d{3})|([JK])(\d{4})(\d{4}))?(?:-([1-9]))?", re.ASCII)
_OLD = re.compile(
    r"([A-O])-(\d{1,2})(?:-(?:([A-Da-d])|(\d{1,3})"
    r"(?:-(?:([A-Da-d])(?:-([1-4]))?|\((\d{1,2})\)(?:-([A-Da-d]))?))?))?",
    re.ASCII,
)


def parse_sheet(text: str) -> Sheet:
    """Read a sheet number, as it is today or as it was before 1992; letters of any case and full-width ones count.

    Raises:
        BadParameter: When it is none, or its row or column lies beyond the scale's.
    """
    plain = unicodedata.normalize("NFKC", text[:60]).strip().replace(" ", "")
    found = _NUMBER.fullmatch(plain.upper())
    sheet = _numbered(found) if found else _formerly(plain)
    if sheet is None:
        raise BadParameter(f"There is no sheet {text[:40]!r}; {_EXPECTED}.", parameter="sheet")
    return sheet


def _numbered(found: re.Match[str]) -> Sheet | None:
    scale = _BY_LETTER[found[3] or found[6] or ""]
    row, column = int(found[4] or found[7] or 1), int(found[5] or found[8] or 1)
    sheet = _placed(ROWS.index(found[1]), int(found[2]), scale, (row, column))
    if sheet is None or found[9] is None:
        return sheet
    return _inside(sheet, _NINTHS, int(found[9])) if scale.denominator == _THOUSANDS else None


def _placed(cell_row: int, cell_column: int, scale: Scale, place: tuple[int, int]) -> Sheet | None:
    row, column = place
    if not (1 <= cell_column <= COLUMNS and 1 <= row <= scale.parts and 1 <= column <= scale.parts):
        return None
    across, up = (cell_column - 1) * scale.parts + column - 1, cell_row * scale.parts + scale.parts - row
    return Sheet(scale, across, up)


def _inside(sheet: Sheet | None, denominator: int, place: int) -> Sheet | None:
    """The sheet of a larger scale at a place inside another, counted from 1 in the north-west, row by row."""
    scale = _BY_DENOMINATOR[denominator]
    if sheet is None:
        return None
    ratio = scale.parts // sheet.scale.parts
    if not 1 <= place <= ratio * ratio:
        return None
    row, column = divmod(place - 1, ratio)
    return Sheet(scale, sheet.across * ratio + column, sheet.up * ratio + ratio - 1 - row)


def _formerly(plain: str) -> Sheet | None:
    found = _OLD.fullmatch(plain[:1].upper() + plain[1:])
    if found is None:
        return None
    half, hundred, quarter, eighth, ten, five = found.groups()[2:]
    sheet = _placed(ROWS.index(found[1]), int(found[2]), SCALES[0], (1, 1))
    steps = (
        (500_000, _letter(half)),
        (100_000, _digits(hundred)),
        (50_000, _letter(quarter)),
        (25_000, _digits(eighth)),
        (10_000, _digits(ten)),
        (5_000, _letter(five)),
    )
    for denominator, place in steps:
        if place is not None:
            sheet = _inside(sheet, denominator, place)
    return sheet


def _letter(text: str | None) -> int | None:
    return None if text is None else "ABCD".index(text.upper()) + 1


def _digits(text: str | None) -> int | None:
    return None if text is None else int(text)
