"""NetCDF files of the classic format, written byte by byte: the tests owe nothing to the library that reads them.

Source: the classic format specification of NetCDF (CDF-1), section "File Format Specifications".
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

_DIMENSION, _VARIABLE, _ATTRIBUTE = 10, 11, 12
_TYPES = {"i1": 1, "S1": 2, "i2": 3, "i4": 4, "f4": 5, "f8": 6}
Attributes = Mapping[str, "str | float | int | npt.NDArray[Any]"]


@dataclass(frozen=True)
class Variable:
    """One variable: the names of its dimensions, its values and its attributes."""

    dims: tuple[str, ...]
    values: npt.NDArray[Any]
    attributes: Attributes = field(default_factory=dict)


def write_netcdf(file: Path, variables: Mapping[str, Variable], attributes: Attributes | None = None) -> Path:
    """Write variables (and global attributes); the dimensions follow from the variables."""
    sizes: dict[str, int] = {}
    for variable in variables.values():
        sizes |= dict(zip(variable.dims, variable.values.shape, strict=True))
    bodies = [_padded(_big(v.values).tobytes()) for v in variables.values()]
    starts = [0] * len(bodies)
    for _ in range(2):
        # The header has the same length whatever the offsets are: the second turn knows it.
        header = _header(sizes, variables, attributes or {}, [len(b) for b in bodies], starts)
        starts = [len(header) + sum(map(len, bodies[:i])) for i in range(len(bodies))]
    file.write_bytes(header + b"".join(bodies))
    return file


def grid_variables(
    values: npt.NDArray[Any], lon: npt.NDArray[Any], lat: npt.NDArray[Any], name: str = "height", **attributes: Any
) -> dict[str, Variable]:
    """A variable on centres of longitude and latitude, as the CF conventions want them."""
    extra = {f"dim{i}": Variable((f"dim{i}",), np.arange(n, dtype="f8")) for i, n in enumerate(values.shape[:-2])}
    return {
        "lat": Variable(("lat",), lat.astype("f8"), {"units": "degrees_north", "standard_name": "latitude"}),
        "lon": Variable(("lon",), lon.astype("f8"), {"units": "degrees_east", "standard_name": "longitude"}),
        **extra,
        name: Variable((*extra, "lat", "lon"), values, attributes),
    }


def _header(
    sizes: Mapping[str, int],
    variables: Mapping[str, Variable],
    attributes: Attributes,
    lengths: list[int],
    starts: list[int],
) -> bytes:
    dims = list(sizes)
    out = b"CDF\x01" + struct.pack(">i", 0) + _list(_DIMENSION, [_name(d) + struct.pack(">i", sizes[d]) for d in dims])
    out += _attributes(attributes)
    described = []
    for (name, variable), length, start in zip(variables.items(), lengths, starts, strict=True):
        places = b"".join(struct.pack(">i", dims.index(d)) for d in variable.dims)
        kind = struct.pack(">iii", _TYPES[_big(variable.values).dtype.str[1:]], length, start)
        described.append(
            _name(name) + struct.pack(">i", len(variable.dims)) + places + _attributes(variable.attributes) + kind
        )
    return out + _list(_VARIABLE, described)


def _attributes(attributes: Attributes) -> bytes:
    return _list(_ATTRIBUTE, [_name(name) + _attribute(value) for name, value in attributes.items()])


def _attribute(value: Any) -> bytes:
    if isinstance(value, str):
        data = value.encode()
        return struct.pack(">ii", _TYPES["S1"], len(data)) + _padded(data)
    many = np.atleast_1d(np.asarray(value))
    many = _big(many.astype("f8") if many.dtype == np.int64 else many)
    return struct.pack(">ii", _TYPES[many.dtype.str[1:]], many.size) + _padded(many.tobytes())


def _list(tag: int, entries: list[bytes]) -> bytes:
    return struct.pack(">ii", tag if entries else 0, len(entries)) + b"".join(entries)


def _name(text: str) -> bytes:
    data = text.encode()
    return struct.pack(">i", len(data)) + _padded(data)


def _padded(data: bytes) -> bytes:
    return data + b"\0" * (-len(data) % 4)


def _big(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    return values.astype(values.dtype.newbyteorder(">"))
