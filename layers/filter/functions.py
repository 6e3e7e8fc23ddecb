"""Functions that a filter may call. What is not listed here cannot be called."""

from __future__ import annotations

from dataclasses import dataclass

from layers.filter.tree import Kind

_NUMBER, _TEXT, _SHAPE, _WHOLE = (Kind.NUMBER,), (Kind.TEXT,), (Kind.GEOMETRY,), (Kind.INTEGER,)
_TIME = (Kind.DATE, Kind.DATETIME)


@dataclass(frozen=True, slots=True)
class Argument:
    """An argument of a function: its title, the kinds of values that it takes."""

    title: str
    kinds: tuple[Kind, ...]


@dataclass(frozen=True, slots=True)
class Function:
    """A function: what it takes, what it gives, what it says about itself."""

    name: str
    arguments: tuple[Argument, ...]
    returns: Kind
    zh: str
    en: str


def _function(name: str, arguments: dict[str, tuple[Kind, ...]], returns: Kind, zh: str, en: str) -> Function:
    return Function(name, tuple(Argument(title, kinds) for title, kinds in arguments.items()), returns, zh, en)


_ALL = (
    _function("upper", {"text": _TEXT}, Kind.TEXT, "大写", "The text in capital letters."),
    _function("lower", {"text": _TEXT}, Kind.TEXT, "小写", "The text in small letters."),
    _function("trim", {"text": _TEXT}, Kind.TEXT, "去掉首尾空格", "The text without spaces at its ends."),
    _function("concat", {"first": _TEXT, "second": _TEXT}, Kind.TEXT, "连接文本", "Two texts, one behind the other."),
    _function("char_length", {"text": _TEXT}, Kind.INTEGER, "字符数", "The number of characters."),
    _function("abs", {"number": _NUMBER}, Kind.NUMBER, "绝对值", "The number without its sign."),
    _function("floor", {"number": _NUMBER}, Kind.NUMBER, "向下取整", "The greatest integer that is not above."),
    _function("ceil", {"number": _NUMBER}, Kind.NUMBER, "向上取整", "The least integer that is not below."),
    _function("sqrt", {"number": _NUMBER}, Kind.NUMBER, "平方根", "The square root; unknown for negative numbers."),
    _function("greatest", {"first": _NUMBER, "second": _NUMBER}, Kind.NUMBER, "较大者", "The greater of two numbers."),
    _function("least", {"first": _NUMBER, "second": _NUMBER}, Kind.NUMBER, "较小者", "The smaller of two numbers."),
    _function("year", {"time": _TIME}, Kind.INTEGER, "年 (UTC)", "The year, in UTC."),
    _function("month", {"time": _TIME}, Kind.INTEGER, "月 (UTC)", "The month from 1 to 12, in UTC."),
    _function("day", {"time": _TIME}, Kind.INTEGER, "日 (UTC)", "The day of the month, in UTC."),
    _function("area", {"geometry": _SHAPE}, Kind.NUMBER, "椭球面积 (m2)", "The area on the ellipsoid (m2)."),
    _function("line_length", {"geometry": _SHAPE}, Kind.NUMBER, "椭球长度 (m)", "The length on the ellipsoid (m)."),
    _function(
        "distance",
        {"first": _SHAPE, "second": _SHAPE},
        Kind.NUMBER,
        "椭球最短距离 (m)",
        "The shortest distance on the ellipsoid in metres; edges are geodesics.",
    ),
    _function(
        "within_distance",
        {"first": _SHAPE, "second": _SHAPE, "metres": _NUMBER},
        Kind.BOOLEAN,
        "两者相距不超过若干米 (椭球面)",
        "Whether two geometries are at most so many metres apart; measured as by distance.",
    ),
    _function("centroid", {"geometry": _SHAPE}, Kind.GEOMETRY, "质心", "The centre of gravity, in degrees."),
)
FUNCTIONS = {one.name: one for one in _ALL}
"""Every function by its name."""
