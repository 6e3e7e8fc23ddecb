"""Open sources: the registry's coherence, local mirrors, and downloads from a real server on this machine."""

from __future__ import annotations

import csv
import fnmatch
import hashlib
import json
import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib import resources
from pathlib import Path

import pytest

from geoservice.cli import run
from geoservice.cli import sources as command
from geoservice.sources.download import Download, download
from geoservice.sources.errors import ChecksumMismatch, DownloadFailed, NoOrigin, UnknownSource
from geoservice.sources.fetch import Origins, fetch, locate
from geoservice.sources.registry import OpenSource, parse_registry, read_registry
from layers.catalog import read_catalog
from layers.errors import ConfigurationError, DefinitionError

BODY = bytes(range(256)) * 4000
SUM = hashlib.sha256(BODY).hexdigest()
REGISTRY = read_registry()
IDS = list(REGISTRY.sources)
CATALOG = read_catalog()


# ---------------------------------------------------------------- a server that can misbehave


@dataclass
class Behaviour:
    body: bytes = BODY
    etag: str | None = '"v1"'
    ranges: bool = True
    break_after: int | None = None
    status: int = 200
    announce_length: bool = True
    location: str | None = None
    requests: list[dict[str, str]] = field(default_factory=list)


class Handler(BaseHTTPRequestHandler):
    behaviour: Behaviour
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        b = self.behaviour
        b.requests.append(dict(self.headers))
        if b.location:
            self._head(302, {"Location": b.location, "Content-Length": "0"})
            return
        if b.status != 200:
            self._head(b.status, {"Content-Length": "0"})
            return
        start = self._start()
        if start >= len(b.body):
            self._head(416, {"Content-Range": f"bytes */{len(b.body)}", "Content-Length": "0"})
            return
        self._send(start)

    def _start(self) -> int:
        b = self.behaviour
        asked = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        fresh = self.headers.get("If-Range") in (None, b.etag)
        return int(asked[1]) if asked and fresh and b.ranges else 0

    def _send(self, start: int) -> None:
        b = self.behaviour
        part = b.body[start:]
        headers = {"Content-Length": str(len(part))} if b.announce_length else {"Connection": "close"}
        if b.etag:
            headers["ETag"] = b.etag
        if start:
            headers["Content-Range"] = f"bytes {start}-{len(b.body) - 1}/{len(b.body)}"
        self._head(206 if start else 200, headers)
        self.wfile.write(part[: b.break_after])
        if b.break_after is not None or not b.announce_length:
            self.wfile.flush()
            self.close_connection = True

    def _head(self, status: int, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Keep the test output quiet."""


@dataclass
class Provider:
    url: str
    behaviour: Behaviour


@pytest.fixture
def provider() -> Iterator[Provider]:
    behaviour = Behaviour()
    handler = type("Bound", (Handler,), {"behaviour": behaviour})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield Provider(f"http://127.0.0.1:{server.server_port}/data/points.geojson", behaviour)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def make(url: str | None = None, sha256: str | None = SUM, **values: object) -> OpenSource:
    return OpenSource.model_validate(
        {
            "id": "points",
            "title": {"zh": "点", "en": "Points"},
            "feeds": [{"layer": "admin/country", "mapping": "x"}],
            "licence": "CC0",
            "attribution": "Somebody",
            "home": "https://example.org/",
            "url": url,
            "sha256": sha256,
            **values,
        }
    )


def make_mirror(folder: Path, content: bytes = BODY, listed: str = SUM) -> Path:
    (folder / "sub").mkdir(parents=True)
    (folder / "sub/points.geojson").write_bytes(content)
    (folder / "MANIFEST.csv").write_text(f"file,sha256\nsub/points.geojson,{listed}\n", encoding="utf-8")
    return folder


# ---------------------------------------------------------------- the registry


def test_registry_is_bilingual_and_complete() -> None:
    assert len(IDS) > 50
    for source in REGISTRY:
        assert re.search(r"[\u4e00-\u9fff]", source.title.zh), source.id
        assert source.title.en.isascii(), source.id
        assert source.home.startswith("https://")


@pytest.mark.parametrize("source_id", IDS)
def test_source_feeds_a_mapping_that_matches_its_file(source_id: str) -> None:
    source = REGISTRY.source(source_id)
    names = [source.name, *([source.bundled] if source.bundled else [])]
    for feed in source.feeds:
        layer = CATALOG.layer(feed.layer)
        assert feed.mapping in layer.sources
        for name in names:
            fits = [
                key
                for key, mapping in layer.sources.items()
                if any(fnmatch.fnmatchcase(name.lower(), glob.lower()) for glob in mapping.match)
            ]
            assert fits == [feed.mapping], f"{name} in {feed.layer}"


def test_every_real_mapping_has_a_source() -> None:
    fed = {(feed.layer, feed.mapping) for source in REGISTRY for feed in source.feeds}
    without = {
        (layer.id, name)
        for layer in CATALOG
        for name, mapping in layer.sources.items()
        if name != "sample" and mapping.attribution is not None
    } - fed
    assert without == set()


def test_registry_names_no_package_registry() -> None:
    text = resources.files("geoservice.sources").joinpath("registry.yaml").read_text(encoding="utf-8")
    hosts = {line.split("/")[2] for line in re.findall(r"https?://\S+", text)}
    assert not [h for h in hosts if re.search(r"npmjs|unpkg|jsdelivr|pypi|pythonhosted|debian|crates|goproxy", h)]


@pytest.mark.realdata
def test_registry_agrees_with_the_mirror(real_data: Path) -> None:
    with (real_data / "MANIFEST.csv").open(encoding="utf-8", newline="") as handle:
        listed = {row["file"]: row["sha256"] for row in csv.DictReader(handle)}
    pinned = {s.file: s.sha256 for s in REGISTRY if s.file}
    assert pinned == {file: listed[file] for file in pinned}


def test_unknown_id_names_the_known_ones() -> None:
    with pytest.raises(UnknownSource, match="pb2002-plates"):
        REGISTRY.pick(["pb2002-plates", "atlantis"])


@pytest.mark.parametrize(
    "change",
    [{"file": "../up.json"}, {"file": "/etc/up.json"}, {"url": None, "file": None}, {"sha256": None, "file": "a.json"}],
)
def test_incoherent_source_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="validation error"):
        make(**{"url": "https://example.org/a.json", **change})  # type: ignore[arg-type]


def test_double_id_is_refused() -> None:
    entry = make("https://example.org/a.json").model_dump_json(exclude_none=True)
    text = f'{{"format": 1, "sources": [{entry}, {entry}]}}'
    with pytest.raises(DefinitionError, match="two sources"):
        parse_registry(text)


# ---------------------------------------------------------------- downloads


def test_download_whole_file(provider: Provider, tmp_path: Path) -> None:
    seen: list[tuple[int, int | None]] = []
    job = Download(provider.url, tmp_path / "points.geojson", SUM)
    assert download(job, lambda done, total: seen.append((done, total))) == 0
    assert job.target.read_bytes() == BODY
    assert seen[-1] == (len(BODY), len(BODY))
    assert sorted(p.name for p in tmp_path.iterdir()) == ["points.geojson"]


@pytest.mark.parametrize("sha256", [SUM, None])
def test_broken_transfer_is_resumed(provider: Provider, tmp_path: Path, sha256: str | None) -> None:
    job = Download(provider.url, tmp_path / "points.geojson", sha256)
    provider.behaviour.break_after = 300_000
    with pytest.raises(DownloadFailed, match=r"(?i)run again|broke off"):
        download(job)
    assert not job.target.exists()
    had = job.part.stat().st_size
    assert 0 < had <= 300_000
    provider.behaviour.break_after = None
    assert download(job) == had
    assert job.target.read_bytes() == BODY
    last = provider.behaviour.requests[-1]
    assert last["Range"] == f"bytes={had}-"
    assert last["If-Range"] == '"v1"'


def test_changed_file_is_not_joined_to_its_old_part(provider: Provider, tmp_path: Path) -> None:
    job = Download(provider.url, tmp_path / "points.geojson")
    provider.behaviour.break_after = 100_000
    with pytest.raises(DownloadFailed):
        download(job)
    provider.behaviour.break_after = None
    provider.behaviour.etag, provider.behaviour.body = '"v2"', BODY[::-1]
    assert download(job) == 0
    assert job.target.read_bytes() == BODY[::-1]


def test_server_without_ranges_starts_over(provider: Provider, tmp_path: Path) -> None:
    job = Download(provider.url, tmp_path / "points.geojson", SUM)
    provider.behaviour.break_after = 100_000
    with pytest.raises(DownloadFailed):
        download(job)
    provider.behaviour.break_after, provider.behaviour.ranges = None, False
    assert download(job) == 0
    assert job.target.read_bytes() == BODY


def test_without_validator_or_checksum_nothing_is_resumed(provider: Provider, tmp_path: Path) -> None:
    provider.behaviour.etag, provider.behaviour.break_after = None, 100_000
    job = Download(provider.url, tmp_path / "points.geojson")
    with pytest.raises(DownloadFailed):
        download(job)
    provider.behaviour.break_after = None
    assert download(job) == 0
    assert "Range" not in provider.behaviour.requests[-1]


def test_complete_part_is_taken_as_it_is(provider: Provider, tmp_path: Path) -> None:
    job = Download(provider.url, tmp_path / "points.geojson", SUM)
    job.part.write_bytes(BODY)
    job.note.write_text(json.dumps({"url": job.url, "validator": '"v1"'}))
    assert download(job) == len(BODY)
    assert job.target.read_bytes() == BODY


def test_checksum_mismatch_leaves_nothing(provider: Provider, tmp_path: Path) -> None:
    provider.behaviour.body = BODY + b"!"
    with pytest.raises(ChecksumMismatch, match=SUM):
        download(Download(provider.url, tmp_path / "points.geojson", SUM))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("announce", [True, False])
def test_size_limit(provider: Provider, tmp_path: Path, announce: bool) -> None:
    provider.behaviour.announce_length = announce
    with pytest.raises(DownloadFailed, match="limit"):
        download(Download(provider.url, tmp_path / "points.geojson", None, limit=1000))
    assert not (tmp_path / "points.geojson").exists()
    assert not (tmp_path / "points.geojson.part").exists()


def test_server_error_is_told(provider: Provider, tmp_path: Path) -> None:
    provider.behaviour.status = 503
    with pytest.raises(DownloadFailed, match="503"):
        download(Download(provider.url, tmp_path / "points.geojson"))
    assert list(tmp_path.iterdir()) == []


def test_provider_away(tmp_path: Path) -> None:
    with pytest.raises(DownloadFailed, match="could not be fetched"):
        download(Download("http://127.0.0.1:9/none.json", tmp_path / "none.json"))


@pytest.mark.parametrize("url", ["http://example.org/a.json", "file:///etc/passwd", "ftp://example.org/a.json"])
def test_unsafe_addresses_are_refused(url: str, tmp_path: Path) -> None:
    with pytest.raises(DownloadFailed, match="not an https address"):
        download(Download(url, tmp_path / "a.json"))


@pytest.mark.parametrize("url", ["file:///etc/passwd", "http://example.org/a.json"])
def test_redirect_to_an_unsafe_address_is_refused(provider: Provider, tmp_path: Path, url: str) -> None:
    provider.behaviour.location = url
    with pytest.raises(DownloadFailed):
        download(Download(provider.url, tmp_path / "a.json"))
    assert list(tmp_path.iterdir()) == []


# ---------------------------------------------------------------- mirror, bundle, network


def test_mirror_comes_first(provider: Provider, tmp_path: Path) -> None:
    mirror = make_mirror(tmp_path / "mirror")
    source = make(provider.url, file="sub/points.geojson")
    fetched = fetch(source, tmp_path / "into", Origins(mirror=mirror))
    assert (fetched.origin, fetched.sha256, fetched.size) == ("mirror", SUM, len(BODY))
    assert fetched.path.read_bytes() == BODY
    assert provider.behaviour.requests == []
    assert fetch(source, tmp_path / "into", Origins()).origin == "present"


def test_spoilt_mirror_copy_is_refused(tmp_path: Path) -> None:
    mirror = make_mirror(tmp_path / "mirror", BODY + b"!")
    with pytest.raises(ChecksumMismatch):
        fetch(make(file="sub/points.geojson"), tmp_path / "into", Origins(mirror=mirror))
    assert not (tmp_path / "into").exists()


def test_other_version_in_the_mirror_is_refused(tmp_path: Path) -> None:
    other = BODY + b"!"
    mirror = make_mirror(tmp_path / "mirror", other, hashlib.sha256(other).hexdigest())
    with pytest.raises(ChecksumMismatch, match="another version"):
        fetch(make(file="sub/points.geojson"), tmp_path / "into", Origins(mirror=mirror))


def test_folder_without_manifest_is_no_mirror(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"MANIFEST\.csv"):
        locate(make(file="a.json"), Origins(mirror=tmp_path))


def test_missing_file_of_a_mirror_is_told(tmp_path: Path) -> None:
    (tmp_path / "MANIFEST.csv").write_text(f"file,sha256\na.json,{SUM}\n")
    with pytest.raises(ConfigurationError, match="not there"):
        locate(make(file="a.json"), Origins(mirror=tmp_path))


def test_network_is_used_when_the_mirror_lacks_it(provider: Provider, tmp_path: Path) -> None:
    (tmp_path / "MANIFEST.csv").write_text("file,sha256\n")
    fetched = fetch(make(provider.url), tmp_path / "into", Origins(mirror=tmp_path))
    assert fetched.origin == "network"
    assert fetched.path == tmp_path / "into/points.geojson"


def test_bundled_copy_takes_the_name_that_the_mapping_matches(tmp_path: Path) -> None:
    (tmp_path / "vendor.json").write_bytes(BODY)
    source = make(file="sub/points.geojson", bundled="vendor.json")
    fetched = fetch(source, tmp_path / "into", Origins(bundled=tmp_path))
    assert (fetched.origin, fetched.path.name) == ("bundled", "points.geojson")


def test_nothing_at_hand(tmp_path: Path) -> None:
    with pytest.raises(NoOrigin, match=r"example\.org"):
        fetch(make(file="a.json"), tmp_path, Origins())
    with pytest.raises(NoOrigin, match="switched off"):
        fetch(make("https://example.org/a.json"), tmp_path, Origins(network=False))


# ---------------------------------------------------------------- command line


def test_list_and_show(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["sources", "list", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)
    assert [entry["id"] for entry in listed] == IDS
    assert all(entry["licence"] and entry["attribution"] and entry["home"] for entry in listed)
    assert run(["sources", "list"]) == 0
    text = capsys.readouterr().out
    assert all(source_id in text for source_id in IDS)
    assert run(["sources", "show", "pb2002-plates"]) == 0
    assert "geology/plate (mapping pb2002)" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["sources", "show", "atlantis"], "pb2002-plates"),
        (["sources", "fetch", "atlantis", "--into", "x"], "pb2002-plates"),
        (["sources", "fetch", "--into", "x"], "--all"),
        (["sources", "fetch", "pb2002-plates", "--all", "--into", "x"], "one of the two"),
    ],
)
def test_bad_input_exits_2(arguments: list[str], expected: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(arguments) == 2
    assert expected in capsys.readouterr().err


def test_fetch_reports_each_source(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    source = REGISTRY.source("cap-thunderstorm")
    mirror = tmp_path / "mirror"
    (mirror / "disasters").mkdir(parents=True)
    (mirror / "disasters/cap_thunderstorm.cap").write_text("changed")
    (mirror / "MANIFEST.csv").write_text(f"file,sha256\n{source.file},{source.sha256}\n")
    monkeypatch.setenv("GEOSERVICE_DATA", str(mirror))
    monkeypatch.setattr(command, "bundled_folder", lambda: tmp_path / "none")
    into = str(tmp_path / "into")
    assert run(["sources", "fetch", "cap-thunderstorm", "qgis-world-map", "--into", into, "--offline"]) == 1
    output = capsys.readouterr()
    assert "0 of 2" in output.out
    assert "cap-thunderstorm" in output.err
    assert "qgis-world-map" in output.err
    assert not (tmp_path / "into").exists()


@pytest.mark.realdata
def test_fetch_from_the_real_mirror(
    real_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("GEOSERVICE_DATA", str(real_data))
    assert run(["sources", "fetch", "pb2002-plates", "cap-weather", "--into", str(tmp_path), "--offline"]) == 0
    assert "2 of 2" in capsys.readouterr().out
    for source_id in ("pb2002-plates", "cap-weather"):
        source = REGISTRY.source(source_id)
        assert hashlib.sha256((tmp_path / source.name).read_bytes()).hexdigest() == source.sha256
