"""A report as a package for the field: all its files, what is needed to check them, and a signed list of both."""

from __future__ import annotations

import io
import zipfile

from geoservice.alerts.keys import identity
from geoservice.reports import shelf
from geoservice.reports.carrier import CONTENTS, CONTENTS_SIGNATURE, JSON_NAME, contents, opened
from geoservice.reports.seal import sign
from geoservice.settings import Settings

MANIFEST_NAME, SIGNATURE_NAME, CERTIFICATE_NAME = "manifest.json", "manifest.sig", "certificate.pem"
_EPOCH = (2000, 1, 1, 0, 0, 0)


def field_package(settings: Settings, number: str) -> bytes:
    """The package of a kept report (ZIP): it opens from a disk, without a service and without a network.

    Raises:
        UnknownResource: When the files of the report are not there.
    """
    files = {JSON_NAME: shelf.get(settings, number, "json")}
    for file in sorted(shelf.path_of(settings, number).iterdir()):
        files[file.name] = file.read_bytes()
    sealed = opened(JSON_NAME, files[JSON_NAME]).sealed
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
