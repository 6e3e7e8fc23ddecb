"""Rules about single rows: sizes and slivers of surfaces, declared domains and ranges, areas that attributes state."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from ingest.checks.measure import Numbers, areas, curves, lengths, surfaces, thinness
from ingest.rows import Breach, Rows, breach, shown
from layers import checks
from layers.area import SQUARE_METRES_PER_HECTARE, SQUARE_METRES_PER_MU
from layers.model import RowLayer

_SQUARE_METRES = {
    "m2": 1.0, "ha": SQUARE_METRES_PER_HECTARE, "km2": 1e6, "mu": SQUARE_METRES_PER_MU, "亩": SQUARE_METRES_PER_MU
}  # fmt: skip
Which = npt.NDArray[np.int64]
Say = Callable[[int], str]


def check_rows(rows: Rows, layer: RowLayer) -> None:
    """Judge the rows of a chunk by every declared rule that looks at one row alone.

    Rows that were refused already are judged too, as far as they have what the rule looks at.
    """
    known = _Sizes(rows)
    for rule in layer.rules():
        if isinstance(rule, checks.Sliver):
            _slivers(rows, rule, known)
        elif isinstance(rule, checks.MinimumSize):
            _sizes(rows, rule, known)
        elif isinstance(rule, checks.AreaAttribute):
            _stated_area(rows, rule, known, layer)
        elif isinstance(rule, checks.Domain | checks.Range | checks.Required):
            _attribute(rows, rule)


def apply(rows: Rows, rule: checks.Rule, found: Breach, say: Say) -> None:
    """Record a breach, and refuse its rows if the rule keeps them out."""
    if not len(found.rows):
        return
    rows.breaches.append(found)
    if rule.quarantines:
        for row in found.rows:
            rows.refuse(int(row), say(int(row)))


class _Sizes:
    """Sizes of the geometries of a chunk, each computed when first asked for."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows
        self._areas: Numbers | None = None

    @property
    def areas(self) -> Numbers:
        """Square metres of surfaces; NaN for everything else."""
        if self._areas is None:
            self._areas = np.full(len(self._rows), np.nan)
            if self._rows.geometry is not None:
                solid = surfaces(self._rows.geometry)
                self._areas[solid] = areas(self._rows.geometry[solid])
        return self._areas

    def thinness(self, which: Which, limit: float) -> Numbers:
        """Thinness of some surfaces, exact where it is near the limit."""
        geometry = self._rows.geometry
        return np.full(len(which), np.nan) if geometry is None else thinness(geometry[which], self.areas[which], limit)

    def lines(self) -> Numbers:
        """Metres of lines; NaN for everything else."""
        found = np.full(len(self._rows), np.nan)
        if self._rows.geometry is not None:
            single = curves(self._rows.geometry)
            found[single] = lengths(self._rows.geometry[single])
        return found


def _below(values: Numbers, limit: float) -> Which:
    with np.errstate(invalid="ignore"):
        return np.flatnonzero(values < limit).astype(np.int64)


def _slivers(rows: Rows, rule: checks.Sliver, known: _Sizes) -> None:
    thin = _thin(rule.thinness, known)
    tiny = _below(known.areas, rule.minimum or 0.0)
    which = np.union1d(thin, tiny)
    limits = [f"smaller than {rule.minimum:g} m2"] if rule.minimum is not None else []
    limits += [f"thinner than {rule.thinness:g}"] if rule.thinness is not None else []
    what = " or ".join(limits)
    found = Breach("sliver", rule.severity, f"Surfaces are slivers, {what}.", which)
    apply(rows, rule, found, lambda i: f"The surface of {known.areas[i]:.3g} m2 is a sliver, {what}.")


def _thin(limit: float | None, known: _Sizes) -> Which:
    """Surfaces whose thinness 4 pi A / P^2 is below a limit."""
    surfaces = np.flatnonzero(np.isfinite(known.areas)).astype(np.int64)
    if limit is None or not len(surfaces):
        return np.zeros(0, dtype=np.int64)
    return surfaces[_below(known.thinness(surfaces, limit), limit)]


def _sizes(rows: Rows, rule: checks.MinimumSize, known: _Sizes) -> None:
    if rule.area is not None:
        sizes, limit = known.areas, f"{rule.area:g} m2"
        found = Breach("minimum-size", rule.severity, f"Surfaces are smaller than {limit}.", _below(sizes, rule.area))
        apply(rows, rule, found, lambda i: f"The surface has {known.areas[i]:.6g} m2, less than {limit}.")
    if rule.length is not None:
        metres, least = known.lines(), f"{rule.length:g} m"
        short = Breach("minimum-size", rule.severity, f"Lines are shorter than {least}.", _below(metres, rule.length))
        apply(rows, rule, short, lambda i: f"The line has {metres[i]:.6g} m, less than {least}.")


def _stated_area(rows: Rows, rule: checks.AreaAttribute, known: _Sizes, layer: RowLayer) -> None:
    name = rule.attribute
    column, unit = rows.columns[name], layer.attributes[name].unit or "m2"
    factor = _SQUARE_METRES.get(unit, 1.0)
    stated = pc.cast(column, pa.float64()).fill_null(np.nan).to_numpy(zero_copy_only=False) * factor
    with np.errstate(invalid="ignore"):
        off = np.abs(stated - known.areas) > rule.tolerance * known.areas + rule.slack
    message = (
        f"Values of {name} differ from the ellipsoidal area by more than {rule.tolerance * 100:g} % and {rule.slack:g} "
        "m2."
    )
    found = breach("area-attribute", message, np.flatnonzero(off).astype(np.int64), name, column, rule.severity)
    apply(
        rows,
        rule,
        found,
        lambda i: (
            f"Attribute {name!r} is {column[i].as_py():g} {unit}, but the ellipsoidal area is "
            f"{known.areas[i] / factor:.6g} {unit}."
        ),
    )


def _attribute(rows: Rows, rule: checks.AttributeRule) -> None:
    name, column = rule.attribute, rows.columns[rule.attribute]
    which, wanted = _against(rule, column)
    found = breach(rule.rule, f"Values of {name} are not {wanted}.", which, name, column, rule.severity)
    apply(
        rows, rule, found, lambda i: f"Attribute {name!r} is {shown(column[i].as_py())}, where {wanted} was expected."
    )


def _against(rule: checks.AttributeRule, column: pa.Array) -> tuple[Which, str]:
    if isinstance(rule, checks.Required):
        return _true(column.is_null()), "a value"
    if isinstance(rule, checks.Domain):
        texts = pc.cast(column, pa.string())
        known = pc.or_(texts.is_null(), pc.is_in(texts, value_set=pa.array(rule.values, pa.string())))
        return _true(pc.invert(known)), f"one of {', '.join(rule.values)}"
    low, high = rule.range
    outside = np.zeros(len(column), dtype=bool)
    for bound, test in ((low, pc.less), (high, pc.greater)):
        if bound is not None:
            outside |= test(column, bound).fill_null(False).to_numpy(zero_copy_only=False)
    bounds = f"{'-' if low is None else f'{low:g}'} to {'-' if high is None else f'{high:g}'}"
    return np.flatnonzero(outside).astype(np.int64), f"a number in the range {bounds}"


def _true(mask: pa.Array) -> Which:
    return np.flatnonzero(mask.to_numpy(zero_copy_only=False)).astype(np.int64)
