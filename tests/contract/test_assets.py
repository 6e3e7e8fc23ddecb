"""The portal's own files on their way to a browser: packed, kept, and never of two versions at once."""

from __future__ import annotations

import gzip
import re
from importlib import resources
from pathlib import Path

import pytest

from geoservice.http.assets import ASK_AGAIN, NEVER_CHANGES, Assets
from tests.support.service import Service

STATIC = Path(str(resources.files("web"))) / "static"
SCRIPT = "portal/main.js"


def lasting(service: Service) -> str:
    """First part of the paths that the portal's page names."""
    found = re.search(r'src="/static/(v-[0-9a-f]+)/portal/main\.js"', service.get("/portal").text)
    assert found
    return found[1]


def test_the_page_names_paths_that_last(service: Service) -> None:
    page = service.get("/portal").text
    version = lasting(service)
    named = re.findall(r'(?:src|href)="/static/([^/"]+)/', page)
    assert set(named) == {version}
    answer = service.get(f"/static/{version}/{SCRIPT}")
    assert (answer.status_code, answer.headers["cache-control"]) == (200, NEVER_CHANGES)
    assert answer.content == (STATIC / SCRIPT).read_bytes()


@pytest.mark.parametrize("path", [f"/static/{SCRIPT}", f"/static/v-0000000000000000/{SCRIPT}"])
def test_other_paths_are_asked_again(service: Service, path: str) -> None:
    answer = service.get(path)
    if answer.status_code == 200:
        assert answer.headers["cache-control"] == ASK_AGAIN
        tag = answer.headers["etag"]
        assert service.get(path, **{"If-None-Match": tag}).status_code == 304
    else:
        # The files of a version that is not installed cannot be had.
        assert answer.status_code == 404
        assert "v-0000" in path


def test_files_are_packed_for_those_who_take_it(service: Service) -> None:
    path = "/static/vendor/maplibre-gl/maplibre-gl-csp.js"
    whole = (STATIC / "vendor/maplibre-gl/maplibre-gl-csp.js").read_bytes()
    with service.client.stream("GET", path, headers={"Accept-Encoding": "gzip"}) as answer:
        assert answer.headers["content-encoding"] == "gzip"
        raw = b"".join(answer.iter_raw())
    assert gzip.decompress(raw) == whole
    assert len(raw) < len(whole) / 3
    plain = service.get(path, **{"Accept-Encoding": "identity"})
    assert "content-encoding" not in plain.headers
    assert plain.content == whole
    part = service.get(path, **{"Range": "bytes=10-19", "Accept-Encoding": "gzip"})
    assert (part.status_code, part.content) == (206, whole[10:20])


def test_images_are_not_packed_again(service: Service) -> None:
    answer = service.get("/static/vendor/leaflet/images/marker-icon.png", **{"Accept-Encoding": "gzip"})
    assert "content-encoding" not in answer.headers


def test_another_file_is_another_version(tmp_path: Path) -> None:
    (tmp_path / "portal").mkdir()
    (tmp_path / "vendor").mkdir()
    (tmp_path / "portal/main.js").write_text("one")
    (tmp_path / "vendor/assets.json").write_text("{}")
    first = Assets(tmp_path).version
    assert Assets(tmp_path).version == first
    (tmp_path / "portal/main.js").write_text("two")
    second = Assets(tmp_path).version
    (tmp_path / "vendor/assets.json").write_text('{"packages": []}')
    assert len({first, second, Assets(tmp_path).version}) == 3


def test_pages_are_packed_for_those_who_take_it(service: Service) -> None:
    with service.client.stream("GET", "/portal", headers={"Accept-Encoding": "gzip"}) as answer:
        assert (answer.headers["content-encoding"], answer.headers["cache-control"]) == ("gzip", "no-store")
        raw = b"".join(answer.iter_raw())
    plain = service.get("/portal", **{"Accept-Encoding": "identity"})
    assert "content-encoding" not in plain.headers
    # Each page has a nonce of its own, so that the texts differ in it alone.
    assert abs(len(gzip.decompress(raw)) - len(plain.content)) < 64
    assert len(raw) < len(plain.content) / 2


@pytest.mark.parametrize("page", ["/portal", "/embed"])
def test_modules_that_a_page_names_are_there(service: Service, page: str) -> None:
    named = re.findall(r'<link [^>]*rel="modulepreload" href="([^"]+)"', service.get(page).text)
    assert len(named) > 10
    assert {service.get(address).status_code for address in named} == {200}
