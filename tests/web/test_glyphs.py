"""Label glyphs, checked with a decoder of protocol buffers written from the format's specification."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from web.glyphs import BUFFER, Glyph, distance_field, encode_range, write_ranges

SQUARE = np.array([(0, 0, 0, 10), (0, 10, 10, 10), (10, 10, 10, 0), (10, 0, 0, 0)], dtype=float)


def varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at


def fields(data: bytes) -> Iterator[tuple[int, int | bytes]]:
    at = 0
    while at < len(data):
        tag, at = varint(data, at)
        value: int | bytes
        if tag & 7 == 0:
            value, at = varint(data, at)
        else:
            assert tag & 7 == 2
            length, at = varint(data, at)
            value, at = data[at : at + length], at + length
        yield tag >> 3, value


def signed(value: int) -> int:
    return (value >> 1) ^ -(value & 1)


def decode(data: bytes) -> tuple[str, str, list[dict[int, int | bytes]]]:
    ((number, stack),) = fields(data)
    assert number == 1
    assert isinstance(stack, bytes)
    parts = list(fields(stack))
    named = {n: v for n, v in parts if n in (1, 2)}
    glyphs = [dict(fields(v)) for n, v in parts if n == 3 and isinstance(v, bytes)]
    return bytes(named[1]).decode(), bytes(named[2]).decode(), glyphs


def field_of_square() -> np.ndarray:
    size = 10 + 2 * BUFFER
    data = distance_field(SQUARE, -BUFFER, 10 + BUFFER, size, size)
    return np.frombuffer(data, dtype=np.uint8).reshape(size, size).astype(int)


def test_field_of_a_square_is_the_distance_to_its_sides() -> None:
    field = field_of_square()
    # The pixel centre half a pixel inside the left side, in the middle of it; then half a pixel outside.
    inside, outside = field[8, BUFFER], field[8, BUFFER - 1]
    assert inside == round(255 - 255 * (-0.5 / 8 + 0.25))
    assert outside == round(255 - 255 * (0.5 / 8 + 0.25))
    corner = field[BUFFER - 1, BUFFER - 1]
    assert corner == round(255 - 255 * (np.hypot(0.5, 0.5) / 8 + 0.25))


def test_field_is_symmetric_for_a_square() -> None:
    field = field_of_square()
    assert (field == field[::-1]).all()
    assert (field == field.T).all()


def test_a_hole_is_outside() -> None:
    hole = np.array([(3, 3, 7, 3), (7, 3, 7, 7), (7, 7, 3, 7), (3, 7, 3, 3)], dtype=float)
    data = distance_field(np.concatenate([SQUARE, hole]), 0, 10, 10, 10)
    field = np.frombuffer(data, dtype=np.uint8).reshape(10, 10)
    assert field[5, 5] < 191
    assert field[5, 1] > 191


@given(
    st.lists(
        st.builds(
            Glyph,
            code=st.integers(0, 65535),
            bitmap=st.binary(max_size=40),
            width=st.integers(0, 300),
            height=st.integers(0, 300),
            left=st.integers(-300, 300),
            top=st.integers(-300, 300),
            advance=st.integers(0, 300),
        ),
        max_size=5,
    )
)
def test_encoding_can_be_read_back(glyphs: list[Glyph]) -> None:
    stack, span, found = decode(encode_range("Any Font", 256, glyphs))
    assert (stack, span) == ("Any Font", "256-511")
    assert len(found) == len(glyphs)
    for one, read in zip(glyphs, found, strict=True):
        assert read[1] == one.code
        assert read.get(2, b"") == one.bitmap
        assert (read[3], read[4], read[7]) == (one.width, one.height, one.advance)
        left, top = read[5], read[6]
        assert isinstance(left, int)
        assert isinstance(top, int)
        assert (signed(left), signed(top)) == (one.left, one.top)


def test_every_range_of_the_basic_plane_has_a_file(tmp_path: Path) -> None:
    glyph = Glyph(0x41, b"x", 1, 1, 0, 0, 1)
    assert write_ranges(tmp_path, "A Font", {0x41: glyph}) == 1
    files = {one.name for one in (tmp_path / "A Font").iterdir()}
    assert files == {f"{first}-{first + 255}.pbf" for first in range(0, 65536, 256)}
    assert decode((tmp_path / "A Font" / "0-255.pbf").read_bytes())[2][0][1] == 0x41
    assert decode((tmp_path / "A Font" / "256-511.pbf").read_bytes())[2] == []
