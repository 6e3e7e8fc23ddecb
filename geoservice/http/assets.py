"""The portal's own files: packed for the way, and kept by browsers for as long as they are what they are."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from fastapi import Request
from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from geoservice.http.encoding import takes_gzip
from tiles.packing import gzipped

NEVER_CHANGES = "public, max-age=31536000, immutable"
"""For an address that names the content (RFC 8246)."""
ASK_AGAIN = "no-cache"
_PACKED = frozenset({".js", ".css", ".json", ".svg", ".pbf", ".txt"})
_WORTH_IT = 600
_OK = 200
_MANIFEST = "vendor/assets.json"
"""Says for all files of others which version they are of."""

Packed = dict[tuple[str, int], bytes]


class Assets(StaticFiles):
    """A folder of files, each at its own path and, below the name of this version of them all, at a lasting one.

    A module asks for others beside itself, so a page that begins with the lasting address of one gets all of them of
    one version, and asks for none of them again until another version is installed.

    Attributes:
        version: First part of lasting paths.
    """

    def __init__(self, directory: Path) -> None:
        """Serve a folder; reads what names its version."""
        super().__init__(directory=directory)
        self.version = _version(directory)
        self._packed: Packed = {}

    def get_path(self, scope: Scope) -> str:
        """The path in the folder; the version is no part of it."""
        return super().get_path(scope).removeprefix(f"{self.version}{os.sep}")

    async def get_response(self, path: str, scope: Scope) -> Response:
        """The file, with how long it may be kept."""
        response = await super().get_response(path, scope)
        lasting = super().get_path(scope).startswith(f"{self.version}{os.sep}")
        response.headers["Cache-Control"] = NEVER_CHANGES if lasting else ASK_AGAIN
        return response

    def file_response(
        self, full_path: str | os.PathLike[str], stat_result: os.stat_result, scope: Scope, status_code: int = _OK
    ) -> Response:
        """The file as it is, or packed with gzip where the client takes that and it is of use."""
        plain = super().file_response(full_path, stat_result, scope, status_code)
        path = Path(full_path)
        if path.suffix not in _PACKED or stat_result.st_size < _WORTH_IT:
            return plain
        plain.headers["Vary"] = "Accept-Encoding"
        request = Request(scope)
        if plain.status_code != _OK or "range" in request.headers or not takes_gzip(request):
            return plain
        # One tag for both bodies, so it says the same meaning, not the same bytes (RFC 9110, 8.8.1).
        tag = f"W/{plain.headers['etag']}"
        headers = {"ETag": tag, "Last-Modified": plain.headers["last-modified"], "Vary": plain.headers["vary"]}
        body = self._body(path, stat_result.st_mtime_ns)
        packed = {**headers, "Content-Encoding": "gzip"}
        return Response(body, headers=packed, media_type=plain.headers["content-type"])

    def _body(self, path: Path, changed: int) -> bytes:
        """The packed file, made once."""
        name = (str(path), changed)
        if name not in self._packed:
            self._packed[name] = gzipped(path.read_bytes())
        return self._packed[name]


def _version(directory: Path) -> str:
    """A name of all files here: our own by what they hold, those of others by their manifest."""
    own = [path for path in directory.rglob("*") if path.is_file() and path.relative_to(directory).parts[0] != "vendor"]
    found = hashlib.blake2b(digest_size=8)
    for path in sorted([*own, directory / _MANIFEST]):
        found.update(str(path.relative_to(directory)).encode())
        found.update(path.read_bytes() if path.exists() else b"")
    return f"v-{found.hexdigest()}"
