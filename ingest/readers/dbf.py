"""The encoding of a Shapefile's table: declared, or found by reading every text strictly."""

from __future__ import annotations

import codecs
import struct
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from layers.errors import SourceMismatch, SourceUnreadable

_HEADER, _DESCRIPTOR, _TERMINATOR = 32, 32, 0x0D
_LANGUAGES = {
    0x03: ("utf-8", "cp1252"),
    0x4D: ("gb18030",),
    0x4F: ("cp950",),
    0x57: ("utf-8", "iso-8859-1"),
    0x7A: ("gb18030",),
    0x78: ("cp950",),
    0xC8: ("cp1250",),
    0xC9: ("cp1251",),
}
_BLOCK_ROWS = 20_000
_LONGEST_CHARACTER = 4

Bytes = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class _Layout:
    rows: int
    start: int
    width: int
    language: int
    texts: tuple[tuple[int, int], ...]


def encoding_of(shp: Path, candidates: tuple[str, ...], name: str) -> str | None:
    """The encoding of the .dbf beside a .shp.

    Args:
        shp: The .shp file.
        candidates: What the mapping says, in order; empty = what the file declares (.cpg, then the language byte),
            else UTF-8.
        name: File name for sentences.

    Returns:
        A Python encoding name, or None when there is no table.

    Raises:
        SourceUnreadable: Naming the encodings tried and the byte at which each failed.
    """
    dbf = _beside(shp, ".dbf")
    if dbf is None:
        return None
    layout = _layout(dbf, name)
    tried = [_known(c) for c in candidates] or _declared(shp) or list(_LANGUAGES.get(layout.language, ("utf-8",)))
    failures: list[str] = []
    for encoding in tried:
        position = _first_bad_byte(dbf, layout, encoding)
        if position is None:
            return encoding
        failures.append(f"{encoding} (fails at byte {position} of the .dbf)")
    raise SourceUnreadable(
        f"The table of {name} is not text in any expected encoding; tried {', '.join(failures)}. "
        "Name its encoding in the source mapping.",
        source=name,
    )


def _beside(shp: Path, suffix: str) -> Path | None:
    return next((p for p in shp.parent.iterdir() if p.stem == shp.stem and p.suffix.lower() == suffix), None)


def _known(encoding: str) -> str:
    try:
        return codecs.lookup(encoding).name
    except LookupError as error:
        raise SourceMismatch(f"The source mapping names the unknown encoding {encoding!r}.") from error


def _declared(shp: Path) -> list[str]:
    cpg = _beside(shp, ".cpg")
    if cpg is None:
        return []
    text = cpg.read_bytes()[:64].decode("ascii", errors="ignore").strip().lower().removeprefix("ansi ")
    for spelling in (text, f"cp{text}", {"88591": "iso-8859-1"}.get(text, "")):
        try:
            return [codecs.lookup(spelling).name]
        except LookupError:
            continue
    return []


def _layout(dbf: Path, name: str) -> _Layout:
    with dbf.open("rb") as handle:
        head = handle.read(_HEADER)
        try:
            rows, start, width = struct.unpack_from("<IHH", head, 4)
            descriptors = handle.read(max(0, start - _HEADER))
        except struct.error as error:
            raise SourceUnreadable(f"The table (.dbf) of {name} is truncated.", source=name) from error
    texts: list[tuple[int, int]] = []
    offset = 1
    for at in range(0, len(descriptors) - _DESCRIPTOR + 1, _DESCRIPTOR):
        if descriptors[at] == _TERMINATOR:
            break
        kind, length = chr(descriptors[at + 11]), descriptors[at + 16]
        if kind == "C":
            length += descriptors[at + 17] << 8
            texts.append((offset, length))
        offset += length
    if dbf.stat().st_size < start + rows * width:
        raise SourceUnreadable(
            f"The table (.dbf) of {name} is truncated: it announces {rows} rows of {width} bytes.", source=name
        )
    return _Layout(rows, start, width, head[29], tuple(texts))


def _first_bad_byte(dbf: Path, layout: _Layout, encoding: str) -> int | None:
    if not layout.texts or not layout.rows:
        return None
    shape = (layout.rows, layout.width)
    table: Bytes = np.memmap(dbf, dtype=np.uint8, mode="r", offset=layout.start, shape=shape)
    for first in range(0, layout.rows, _BLOCK_ROWS):
        block = table[first : first + _BLOCK_ROWS]
        for offset, length in layout.texts:
            values = np.ascontiguousarray(block[:, offset : offset + length])
            row = _first_bad_row(values, encoding)
            if row is not None:
                return layout.start + (first + row) * layout.width + offset
    return None


def _first_bad_row(values: Bytes, encoding: str) -> int | None:
    ends = np.full((len(values), 1), ord("\n"), dtype=np.uint8)
    try:
        np.hstack([values, ends]).tobytes().decode(encoding)
    except UnicodeDecodeError:
        return next((i for i, value in enumerate(values) if not _readable(value.tobytes(), encoding)), None)
    return None


def _readable(value: bytes, encoding: str) -> bool:
    """Whether a field can be read; one that fills its width may be cut inside its last character."""
    for cut in range(_LONGEST_CHARACTER):
        try:
            value[: len(value) - cut].decode(encoding)
        except UnicodeDecodeError:
            continue
        return cut == 0 or not value.endswith((b" ", b"\x00"))
    return False
