"""Label glyphs as signed distance fields in the protocol-buffer format that MapLibre reads.

The geometry follows the published format: 24 px em, 3 px buffer, 8 px radius, the edge at 75 % of the value range
(Mapbox glyphs.proto; MapLibre Style Specification, `glyphs`). Ideographs are not made here: MapLibre draws them in
the browser with the reader's own font.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from fontTools.pens.basePen import BasePen
from fontTools.ttLib import TTFont

EM = 24
BUFFER = 3
RADIUS = 8.0
CUTOFF = 0.25
RANGE = 256
LAST = 65536
_CURVE_STEPS = 4
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


def font_glyphs(path: Path) -> dict[int, Glyph]:
    """All characters of a TrueType or WOFF font as glyphs, by code point of the basic plane."""
    font = TTFont(path)
    outlines = font.getGlyphSet()
    scale = EM / font["head"].unitsPerEm
    ascender = round(font["hhea"].ascent * scale)
    return {
        code: _glyph(code, outlines, name, scale, ascender) for code, name in font.getBestCmap().items() if code < LAST
    }


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
    xs = left + 0.5 + np.arange(width)
    ys = top - 0.5 - np.arange(height)
    points = np.stack(np.meshgrid(xs, ys), axis=-1).reshape(-1, 1, 2)
    start, end = edges[None, :, :2], edges[None, :, 2:]
    along = end - start
    t = ((points - start) * along).sum(-1) / (along**2).sum(-1)
    nearest = start + np.clip(t, 0, 1)[..., None] * along
    distance = np.sqrt(((points - nearest) ** 2).sum(-1)).min(axis=1)
    signed = np.where(_winding(points, start, end) != 0, -distance, distance)
    value = 255 - 255 * (signed / RADIUS + CUTOFF)
    return bytes(np.clip(np.rint(value), 0, 255).astype(np.uint8).tobytes())


def _winding(points: np.ndarray, start: np.ndarray, end: np.ndarray) -> np.ndarray:
    """Winding number of the outlines around each point (non-zero = inside, as in TrueType)."""
    px, py = points[..., 0], points[..., 1]
    (ax, ay), (bx, by) = (start[..., 0], start[..., 1]), (end[..., 0], end[..., 1])
    side = (bx - ax) * (py - ay) - (px - ax) * (by - ay)
    up = (ay <= py) & (by > py) & (side > 0)
    down = (ay > py) & (by <= py) & (side < 0)
    return np.asarray(up.sum(axis=1).astype(int) - down.sum(axis=1).astype(int))


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
