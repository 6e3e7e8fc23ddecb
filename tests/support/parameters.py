"""Registered transformation parameters made for tests: published ones of the EPSG registry, and invented ones."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from layers.transformation import Transformation, read_transformation

COMMON: dict[str, Any] = {
    "format": 1,
    "residual": {"rmse": 0.03, "points": 12},
    "owner": "Test survey",
    "secrecy": "public",
}
YELLOW_SEA = {
    **COMMON,
    "source": "EPSG:4214",
    "target": "EPSG:4490",
    "method": "bursa-wolf-7",
    "convention": "position-vector",
    "units": {"rotation": "arc-second", "scale": "ppm"},
    "parameters": {"dx": 15.53, "dy": -113.82, "dz": -41.38, "rx": 0.0, "ry": 0.0, "rz": 0.814, "scale": -0.38},
    "region": {"bbox": [119.23, 31.23, 125.06, 37.4]},
}
"""Beijing 1954 to WGS 84 (2), as the EPSG registry publishes it for the Yellow Sea."""
TARIM = {
    **YELLOW_SEA,
    "parameters": {"dx": 15.8, "dy": -154.4, "dz": -82.3, "rx": 0.0, "ry": 0.0, "rz": 0.0, "scale": 0.0},
    "region": {"bbox": [77.45, 37.0, 88.0, 41.99]},
}
"""Beijing 1954 to WGS 84 (4), as the EPSG registry publishes it for the Tarim basin."""
CITY = {
    **COMMON,
    "source": "local",
    "target": "EPSG:4527",
    "method": "helmert-2d-4",
    "axes": "east-north",
    "units": {"rotation": "arc-second", "scale": "ppm"},
    "parameters": {"dx": 39400000.0, "dy": 4400000.0, "rotation": 3600.0, "scale": 25.0},
    "region": {"bbox": [115.5, 39.0, 117.5, 41.0]},
}


def registered(folder: Path, name: str, definition: dict[str, Any]) -> Transformation:
    """Write a set of parameters into `transformations/` below a folder and read it."""
    home = folder / "transformations"
    home.mkdir(exist_ok=True)
    path = home / f"{name}.yaml"
    path.write_text(yaml.safe_dump(definition, allow_unicode=True), encoding="utf-8")
    return read_transformation(path)


def write_ntv2(path: Path, box: tuple[float, float, float, float], step: float, plane: np.ndarray) -> None:
    """An NTv2 grid (Canadian format, little-endian) whose shifts are planes of longitude and latitude.

    Args:
        path: File to write.
        box: West, south, east, north in degrees.
        step: Distance of nodes in degrees.
        plane: 2 x 3; shifts of longitude and latitude in arc-seconds are `plane @ [1, longitude, latitude]`.
    """
    west, south, east, north = box
    columns, lines = round((east - west) / step) + 1, round((north - south) / step) + 1
    parts = [
        *(_whole(k, v) for k, v in (("NUM_OREC", 11), ("NUM_SREC", 11), ("NUM_FILE", 1))),
        *(_text(k, v) for k, v in (("GS_TYPE", "SECONDS"), ("VERSION", "TEST"), ("SYSTEM_F", "A"), ("SYSTEM_T", "B"))),
        *(_real(k, v) for k, v in (("MAJOR_F", 6378140.0), ("MINOR_F", 6356755.0), ("MAJOR_T", 6378137.0))),
        _real("MINOR_T", 6356752.0),
        *(_text(k, v) for k, v in (("SUB_NAME", "G"), ("PARENT", "NONE"), ("CREATED", ""), ("UPDATED", ""))),
        *(_real(k, v * 3600) for k, v in (("S_LAT", south), ("N_LAT", north), ("E_LONG", -east), ("W_LONG", -west))),
        *(_real(k, step * 3600) for k in ("LAT_INC", "LONG_INC")),
        _whole("GS_COUNT", columns * lines),
    ]
    for line in range(lines):
        for column in range(columns):
            longitude, latitude = plane @ [1.0, east - column * step, south + line * step]
            # Longitudes count to the west.
            parts.append(struct.pack("<4f", latitude, -longitude, 0.0, 0.0))
    path.write_bytes(b"".join(parts) + _text("END", ""))


def _key(name: str) -> bytes:
    return name.ljust(8).encode()


def _whole(name: str, value: int) -> bytes:
    return _key(name) + struct.pack("<i4x", value)


def _real(name: str, value: float) -> bytes:
    return _key(name) + struct.pack("<d", value)


def _text(name: str, value: str) -> bytes:
    return _key(name) + value.ljust(8).encode()
