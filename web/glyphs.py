"""Label glyphs as signed distance fields in the protocol-buffer format that MapLibre reads.

The geometry follows the published format: 24 px em, 3 px buffer, 8 px radius, the edge at 75 % of the value range
(Mapbox glyphs.proto; MapLibre Style Specification, `glyphs`). Ideographs are among them, for clients without a font of
their own and for maps drawn on the server; the portal draws them with the reader's own font, which has them all.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from fontTools.pens.basePen import BasePen
from fontTools.ttLib import TTFont

EM = 24
BUFFER = 3
RADIUS = 8.0
CUTOFF = 0.25
RANGE = 256
LAST = 65536
_CURVE_STEPS = 4
Field = npt.NDArray[Any]
_CONTINUE = 0x80


@dataclass(frozen=True, slots=True)
class Glyph:
    """One character: distance field with its size without buffer, bearings and advance, in pixels at 24 px per em."""

    code: int
    bitmap: bytes
    width: int
    height: int
    left: int
    top: int
    advance: int


class _Flatten(BasePen):  # type: ignore[misc]
    """Collects an outline as straight edges (x0, y0, x1, y1) in font units."""

    def __init__(self, glyphs: Any) -> None:
        super().__init__(glyphs)
        self.edges: list[tuple[float, float, float, float]] = []
        self._start = self._at = (0.0, 0.0)

    def _moveTo(self, point: tuple[float, float]) -> None:
        self._start = self._at = point

    def _lineTo(self, point: tuple[float, float]) -> None:
        if point != self._at:
            self.edges.append((*self._at, *point))
            self._at = point

    def _curveToOne(self, a: tuple[float, float], b: tuple[float, float], end: tuple[float, float]) -> None:
        start = self._at
        for step in range(1, _CURVE_STEPS + 1):
            t = step / _CURVE_STEPS
            weights = ((1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t * t * (1 - t), t**3)
            points = (start, a, b, end)
            x, y = (sum(w * p[axis] for w, p in zip(weights, points, strict=True)) for axis in (0, 1))
            self._lineTo((x, y))

    def _closePath(self) -> None:
        self._lineTo(self._start)

    def _endPath(self) -> None:
        self._lineTo(self._start)


def ascent(path: Path) -> int:
    """Pixels from the top line of a font to its baseline at 24 px per em."""
    font = TTFont(path)
    pixels: float = font["hhea"].ascent * EM / font["head"].unitsPerEm
    return round(pixels)


def font_glyphs(
    path: Path, ascender: int | None = None, wanted: Callable[[int], bool] = lambda _: True
) -> dict[int, Glyph]:
    """Characters of a TrueType or WOFF font as glyphs, by code point of the basic plane.

    Args:
        path: The font.
        ascender: Pixels from the top line to the baseline, when the glyphs are to stand on the line of another font.
        wanted: Which code points.
    """
    font = TTFont(path)
    outlines = font.getGlyphSet()
    scale = EM / font["head"].unitsPerEm
    above = round(font["hhea"].ascent * scale) if ascender is None else ascender
    codes = {code: name for code, name in font.getBestCmap().items() if code < LAST and wanted(code)}
    return {code: _glyph(code, outlines, name, scale, above) for code, name in codes.items()}


def _glyph(code: int, outlines: Any, name: str, scale: float, ascender: int) -> Glyph:
    pen = _Flatten(outlines)
    outlines[name].draw(pen)
    advance = round(outlines[name].width * scale)
    if not pen.edges:
        return Glyph(code, b"", 0, 0, 0, -ascender, advance)
    edges = np.asarray(pen.edges, dtype=np.float64) * scale
    left, right = math.floor(edges[:, ::2].min()), math.ceil(edges[:, ::2].max())
    bottom, top = math.floor(edges[:, 1::2].min()), math.ceil(edges[:, 1::2].max())
    width, height = right - left, top - bottom
    field = distance_field(edges, left - BUFFER, top + BUFFER, width + 2 * BUFFER, height + 2 * BUFFER)
    return Glyph(code, field, width, height, left, top - ascender, advance)


def distance_field(edges: np.ndarray, left: float, top: float, width: int, height: int) -> bytes:
    """Sample the signed distance to closed outlines at pixel centres, row by row from the top.

    Args:
        edges: Straight edges (x0, y0, x1, y1) in pixels, y upwards.
        left: x of the left border of the field.
        top: y of its upper border.
        width: Columns.
        height: Rows.

    Returns:
        One byte per pixel: 255 deep inside, 191 on the edge, 0 far outside.
    """
    xs = (left + 0.5 + np.arange(width))[None].astype(np.float32)
    ys = (top - 0.5 - np.arange(height))[None].astype(np.float32)
    ends = edges.astype(np.float32)
    distance = _distance(xs, ys, ends)
    signed = np.where(_winding(xs, ys, ends) != 0, -distance, distance)
    value = 255 - 255 * (signed / RADIUS + CUTOFF)
    return bytes(np.clip(np.rint(value), 0, 255).astype(np.uint8).tobytes())


def _distance(xs: Field, ys: Field, edges: Field) -> Field:
    """Distance of each pixel to the nearest edge, by rows. Thousands of glyphs are made, so arrays are used again."""
    x, y = (edges[:, axis, None] for axis in (0, 1))
    dx, dy = (edges[:, axis + 2, None] - edges[:, axis, None] for axis in (0, 1))
    length = dx * dx + dy * dy
    along = ((xs - x) * dx / length)[:, None, :] + ((ys - y) * dy / length)[:, :, None]
    np.clip(along, 0, 1, out=along)
    across = along * dx[:, :, None]
    np.subtract((xs - x)[:, None, :], across, out=across)
    np.multiply(across, across, out=across)
    along *= dy[:, :, None]
    np.subtract((ys - y)[:, :, None], along, out=along)
    np.multiply(along, along, out=along)
    along += across
    return np.asarray(np.sqrt(along.min(axis=0)))


def _winding(xs: Field, ys: Field, edges: Field) -> Field:
    """Winding number of the outlines around each pixel (non-zero = inside, as in TrueType).

    Each edge that crosses the line of a row counts for all pixels to the left of the crossing.
    """
    (ax, ay), (bx, by) = ((edges[:, at, None], edges[:, at + 1, None]) for at in (0, 2))
    sign = ((ay <= ys) & (by > ys)).astype(int) - ((ay > ys) & (by <= ys)).astype(int)
    edge, row = np.nonzero(sign)
    slope = (bx - ax)[edge, 0] / (by - ay)[edge, 0]
    crossing = ax[edge, 0] + (ys[0, row] - ay[edge, 0]) * slope
    left_of = np.searchsorted(xs[0], crossing)
    counted = np.zeros((ys.size, xs.size + 1), dtype=int)
    np.add.at(counted, (row, left_of), sign[edge, row])
    return np.asarray(counted[:, ::-1].cumsum(axis=1)[:, -2::-1])


def encode_range(stack: str, first: int, glyphs: Iterable[Glyph]) -> bytes:
    """Encode the glyphs of one range of 256 characters (glyphs.proto: `glyphs { stacks { name, range, glyphs } }`)."""
    body = _text(1, stack) + _text(2, f"{first}-{first + RANGE - 1}")
    for glyph in glyphs:
        body += _bytes(3, _encode_glyph(glyph))
    return _bytes(1, body)


def _encode_glyph(glyph: Glyph) -> bytes:
    out = _number(1, glyph.code)
    if glyph.bitmap:
        out += _bytes(2, glyph.bitmap)
    out += _number(3, glyph.width) + _number(4, glyph.height)
    return out + _number(5, _zigzag(glyph.left)) + _number(6, _zigzag(glyph.top)) + _number(7, glyph.advance)


def _varint(value: int) -> bytes:
    out = bytearray()
    while value >= _CONTINUE:
        out.append(value & 0x7F | _CONTINUE)
        value >>= 7
    out.append(value)
    return bytes(out)


def _zigzag(value: int) -> int:
    return 2 * value if value >= 0 else -2 * value - 1


def _number(field: int, value: int) -> bytes:
    return _varint(field << 3) + _varint(value)


def _bytes(field: int, value: bytes) -> bytes:
    return _varint(field << 3 | 2) + _varint(len(value)) + value


def _text(field: int, value: str) -> bytes:
    return _bytes(field, value.encode())


def write_ranges(folder: Path, stack: str, glyphs: Mapping[int, Glyph]) -> int:
    """Write one file per range of the basic plane, empty ranges too, so that no label meets a missing file.

    Returns:
        How many characters have a glyph.
    """
    target = folder / stack
    target.mkdir(parents=True, exist_ok=True)
    for first in range(0, LAST, RANGE):
        members = [glyphs[code] for code in range(first, first + RANGE) if code in glyphs]
        (target / f"{first}-{first + RANGE - 1}.pbf").write_bytes(encode_range(stack, first, members))
    return len(glyphs)
