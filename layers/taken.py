"""When a raster was taken, and which of several lies on top: by its name, as the layer file says."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Literal

from layers.asset import Asset
from layers.interval import Interval

Order = Literal["loaded", "newest", "oldest", "name"]
LONGEST_PATTERN = 80
_CODES = {
    "Y": r"(?P<Y>\d{4})",
    "j": r"(?P<j>[0-3]\d{2})",
    "m": r"(?P<m>0[1-9]|1[0-2])",
    "d": r"(?P<d>0[1-9]|[12]\d|3[01])",
    "H": r"(?P<H>[01]\d|2[0-3])",
    "M": r"(?P<M>[0-5]\d)",
    "S": r"(?P<S>[0-5]\d)",
}
_PIECE = re.compile(r"%(.)|([^%]+)")
_LENGTHS = {"S": dt.timedelta(seconds=1), "M": dt.timedelta(minutes=1), "H": dt.timedelta(hours=1)}
_DAY = dt.timedelta(days=1)
_DECEMBER = 12
_LAST_YEAR = 9999


@lru_cache(maxsize=256)
def time_pattern(text: str) -> re.Pattern[str]:
    """A pattern of names such as `%Y%m%d` or `S2_%Y-%m-%dT%H:%M`, ready to be searched for.

    Raises:
        ValueError: When it is none, or leaves a unit out between others.
    """
    codes = re.findall(r"%(.)", text)
    given = frozenset(codes)
    known = len(given) == len(codes) and given <= _CODES.keys() and "Y" in given
    day = "j" in given or {"m", "d"} <= given
    gaps = (given & {"H"} and not day) or ("M" in given and "H" not in given) or ("S" in given and "M" not in given)
    doubled = ("d" in given and "m" not in given) or ("j" in given and given & {"m", "d"})
    if len(text) > LONGEST_PATTERN or not known or gaps or doubled or text.endswith("%"):
        raise ValueError(
            f"time is a pattern of names made of %Y, then %m, %d (or %j), %H, %M, %S as far as needed, each once, "
            f"and other characters, such as %Y%m%d; not {text!r}"
        )
    pieces = [_CODES[code] if code else re.escape(plain) for code, plain in _PIECE.findall(text)]
    # Digits beside it would mean that it was found within another number.
    return re.compile(rf"(?<!\d){''.join(pieces)}(?!\d)", re.ASCII)


@lru_cache(maxsize=16_384)
def taken(name: str, pattern: str) -> Interval | None:
    """The time that a name states, in UTC and as exact as it states it; None when it states none.

    Args:
        name: Name of the raster: that of its file, and for slices with their time and level.
        pattern: See `time_pattern`.
    """
    found = time_pattern(pattern).search(name)
    if found is None:
        return None
    part = {code: int(text) for code, text in found.groupdict().items()}
    try:
        start = dt.datetime(part["Y"], part.get("m", 1), part.get("d", 1), tzinfo=dt.UTC)
        start += dt.timedelta(days=part.get("j", 1) - 1, hours=part.get("H", 0), minutes=part.get("M", 0))
        start += dt.timedelta(seconds=part.get("S", 0))
        return Interval(start, _end(start, frozenset(part)))
    except (ValueError, OverflowError):
        return None


def _end(start: dt.datetime, given: frozenset[str]) -> dt.datetime | None:
    for code, length in _LENGTHS.items():
        if code in given:
            return start + length
    if given & {"d", "j"}:
        return start + _DAY
    if start.year == _LAST_YEAR:
        return None
    if "m" not in given:
        return start.replace(year=start.year + 1)
    if start.month == _DECEMBER:
        return start.replace(year=start.year + 1, month=1)
    return start.replace(month=start.month + 1)


def stacked(assets: Iterable[Asset], order: Order) -> list[Asset]:
    """Assets from the topmost down.

    Args:
        assets: The latest loaded first.
        order: `loaded` leaves them so; `newest` and `oldest` go by the time they were taken, those without one last;
            `name` goes by name. Equal ones stay as they were.
    """
    if order == "name":
        return sorted(assets, key=lambda asset: asset.name)
    if order == "loaded":
        return list(assets)
    begun = [(asset.taken.start if asset.taken else None, asset) for asset in assets]
    known = sorted(
        ((start, asset) for start, asset in begun if start is not None),
        key=lambda pair: pair[0].timestamp() * (-1 if order == "newest" else 1),
    )
    return [asset for _, asset in known] + [asset for start, asset in begun if start is None]


def within(assets: Iterable[Asset], asked: Interval | None) -> list[Asset]:
    """Assets that were taken in an interval; all when none is asked for. One without a time is in no interval."""
    if asked is None:
        return list(assets)
    return [asset for asset in assets if asset.taken is not None and meet(asset.taken, asked)]


def meet(one: Interval, other: Interval) -> bool:
    """Whether two half-open intervals have an instant in common."""
    early = one.end is None or other.start is None or other.start < one.end
    return early and (other.end is None or one.start is None or one.start < other.end)
