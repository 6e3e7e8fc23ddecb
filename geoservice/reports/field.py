"""A report as a package for the field: all its files, what is needed to check them, and a signed list of both."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

from geoservice.alerts.keys import identity
from geoservice.reports import shelf
from geoservice.reports.carrier import CONTENTS, CONTENTS_SIGNATURE, JSON_NAME, contents, opened
from geoservice.reports.seal import sign
from geoservice.reports.surroundings import map_of
from geoservice.settings import Settings
from layers.catalog import Catalog

MANIFEST_NAME, SIGNATURE_NAME, CERTIFICATE_NAME = "manifest.json", "manifest.sig", "certificate.pem"
_EPOCH = (2000, 1, 1, 0, 0, 0)


def field_package(settings: Settings, catalog: Catalog, number: str) -> bytes:
    """The package of a kept report (ZIP): it opens from a disk, without a service and without a network.

    The map in it is made for the first package and kept; see `geoservice.reports.surroundings`.

    Raises:
        UnknownResource: When the files of the report are not there.
        DatabaseUnavailable: When there is no map yet, and no database from which it could be made.
    """
    files = {JSON_NAME: shelf.get(settings, number, "json"), **shelf.files_of(settings, number)}
    sealed = opened(JSON_NAME, files[JSON_NAME]).sealed
    files |= _map(map_of(settings, catalog, sealed))
    files |= {
        MANIFEST_NAME: sealed.manifest.canonical(),
        SIGNATURE_NAME: sealed.signature,
        CERTIFICATE_NAME: sealed.certificate,
    }
    listed = contents(number, files)
    keys = identity(settings.home, settings.alert_sender or "geoservice")
    files |= {CONTENTS: listed, CONTENTS_SIGNATURE: sign(listed, keys)}
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, body in files.items():
            archive.writestr(zipfile.ZipInfo(name, _EPOCH), body, zipfile.ZIP_DEFLATED)
    return out.getvalue()


def _map(folder: Path) -> dict[str, bytes]:
    files = (file for file in sorted(folder.rglob("*")) if file.is_file())
    return {file.relative_to(folder).as_posix(): file.read_bytes() for file in files}
