"""Files that only look like reports."""

from __future__ import annotations

import io
import zipfile
import zlib

import pytest

from geoservice.reports.carrier import JSON_NAME, opened
from layers.errors import BadBody


def test_a_package_with_a_spoiled_stream_is_refused() -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(JSON_NAME, bytes(range(256)) * 40)
    spoiled = bytearray(out.getvalue())
    begin = 30 + len(JSON_NAME)
    spoiled[begin : begin + 8] = b"\xff" * 8
    with zipfile.ZipFile(io.BytesIO(bytes(spoiled))) as archive, pytest.raises(zlib.error):
        archive.read(JSON_NAME)
    with pytest.raises(BadBody):
        opened("package.zip", bytes(spoiled))
