"""The confined child: what it cannot do, how it ends, and that the parent survives. Each barrier has its control."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest

from ingest.drivers import ALLOWED_DRIVERS
from ingest.job import ReadLimits
from ingest.sandbox import environment, open_rows, probe
from ingest.wire import batch_schema, error_from_json, plan_from_json, plan_to_json
from layers.errors import CrsRefused, SourceMissing, SourceUnreadable
from tests.ingest.reading import plan_for, read, table, vector

ROOT = Path(__file__).resolve().parents[2]
PLANTED = "planted-secret-7f31"


@pytest.fixture
def csv_file(tmp_path: Path) -> Path:
    file = tmp_path / "points.csv"
    lines = "\n".join(f"{i},{100 + i / 1000},30" for i in range(5000))
    file.write_text(f"name,x,y\n{lines}\n")
    return file


@pytest.fixture
def listener() -> Iterator[tuple[int, list[bytes]]]:
    """A server on loopback that counts who calls."""
    heard: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.2)
        stop = threading.Event()

        def serve() -> None:
            while not stop.is_set():
                try:
                    connection, _ = server.accept()
                except TimeoutError:
                    continue
                with connection:
                    heard.append(b"hit")

        thread = threading.Thread(target=serve)
        thread.start()
        yield server.getsockname()[1], heard
        stop.set()
        thread.join()


def run_child(code: str, directory: Path, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Run code with the environment of the child (or another one)."""
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        env=env if env is not None else environment(directory),
        cwd=directory,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def lock(directory: Path, after: str) -> str:
    """Code that locks itself in like the child (as the same user) and then does something."""
    return f"""
    import os, socket
    from ingest.confine import Confinement, cut_network, lock_in
    import ingest.pipeline
    print(lock_in(Confinement(None, None, 4 << 30, 60, 1 << 20, (), {str(directory)!r}, os.getppid())))
    {after}
    """


def test_probe_reports_what_holds() -> None:
    found = probe()
    assert set(found.drivers) <= ALLOWED_DRIVERS
    assert found.drivers
    assert found.network in {"network namespace", "user and network namespace", "landlock (TCP only)", "none"}
    assert found.fit_for_strangers == ("namespace" in found.network and found.filesystem.startswith("landlock"))


def test_environment_carries_nothing_of_ours(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("GEOSERVICE_DATABASE_URL", f"postgresql://u:{PLANTED}@host/db")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", PLANTED)
    seen = run_child("import os, json; print(json.dumps(dict(os.environ)))", tmp_path).stdout
    assert PLANTED not in seen
    assert not [name for name in json.loads(seen) if name.startswith(("GEOSERVICE", "AWS"))]


def test_network_is_cut(tmp_path: Path, listener: tuple[int, list[bytes]]) -> None:
    port, heard = listener
    call = f"import socket; socket.create_connection(('127.0.0.1', {port}), 2)"
    free = run_child(call, tmp_path)
    assert free.returncode == 0, free.stderr
    assert heard, "control: without the barrier the call arrives"
    heard.clear()
    if probe().network == "none":
        pytest.skip("this machine lets no process cut its network; the probe says so to the operator")
    cut = run_child(f"from ingest.confine import cut_network; print(cut_network()); {call}", tmp_path)
    if cut.stdout.strip() == "none":
        cut = run_child(lock(tmp_path, call), tmp_path)
    assert cut.returncode != 0
    assert "OSError" in cut.stderr or "PermissionError" in cut.stderr
    assert not heard


def test_other_files_are_out_of_sight(tmp_path: Path) -> None:
    secret, own = tmp_path / "secret.txt", tmp_path / "own"
    secret.write_text(PLANTED)
    own.mkdir()
    look = f"print(open({str(secret)!r}).read())"
    assert PLANTED in run_child(look, own).stdout, "control: without the barrier the file is read"
    locked = run_child(lock(own, look), own)
    if "landlock" not in locked.stdout:
        pytest.skip("this kernel has no Landlock; the probe says so to the operator")
    assert PLANTED not in locked.stdout
    assert "PermissionError" in locked.stderr


def test_no_program_can_be_started(tmp_path: Path) -> None:
    start = "os.execv('/bin/true', ['true'])"
    assert run_child(f"import os; {start}", tmp_path).returncode == 0
    locked = run_child(lock(tmp_path, start), tmp_path)
    if "landlock" not in locked.stdout:
        pytest.skip("this kernel has no Landlock; the probe says so to the operator")
    assert "PermissionError" in locked.stderr


def test_only_the_given_directory_is_writable(tmp_path: Path) -> None:
    own = tmp_path / "own"
    own.mkdir()
    write = f"open({str(own / 'a')!r}, 'w').write('x'); open({str(tmp_path / 'b')!r}, 'w')"
    ended = run_child(lock(own, write), own)
    if "landlock" not in ended.stdout:
        pytest.skip("this kernel has no Landlock; the probe says so to the operator")
    assert (own / "a").read_text() == "x"
    assert not (tmp_path / "b").exists()
    assert "PermissionError" in ended.stderr


def test_vrt_with_planted_file_needs_the_allow_list(tmp_path: Path) -> None:
    planted = tmp_path / "planted.csv"
    planted.write_text(f"name\n{PLANTED}\n")
    vrt = tmp_path / "x.geojson"
    vrt.write_text(
        f'<OGRVRTDataSource><OGRVRTLayer name="planted"><SrcDataSource>{planted}</SrcDataSource></OGRVRTLayer>'
        "</OGRVRTDataSource>"
    )
    code = f"import pyogrio; print(pyogrio.read_dataframe({str(vrt)!r}, read_geometry=False))"
    allowed = environment(tmp_path)
    free = {k: v for k, v in allowed.items() if k != "GDAL_SKIP"}
    assert PLANTED in run_child(code, tmp_path, free).stdout, "control: without the allow-list the bytes come out"
    held = run_child(code, tmp_path, allowed)
    assert held.returncode != 0
    assert PLANTED not in held.stdout + held.stderr


@pytest.mark.parametrize("suffix", ["geojson", "gpkg", "kml", "gml", "shp", "csv", "zip"])
def test_vrt_under_any_name_delivers_nothing(tmp_path: Path, suffix: str) -> None:
    planted = tmp_path / "planted.csv"
    planted.write_text(f"name,x,y\n{PLANTED},1,2\n")
    vrt = tmp_path / f"x.{suffix}"
    vrt.write_text(
        f'<OGRVRTDataSource><OGRVRTLayer name="planted"><SrcDataSource>{planted}</SrcDataSource>'
        '<GeometryField encoding="PointFromColumns" x="x" y="y"/></OGRVRTLayer></OGRVRTDataSource>'
    )
    with pytest.raises(SourceUnreadable) as caught:
        read(vrt, vector(attributes={"name": "text"}), crs="EPSG:4326")
    assert PLANTED not in caught.value.detail + str(caught.value.facts)


def test_schema_location_is_not_fetched(tmp_path: Path, listener: tuple[int, list[bytes]]) -> None:
    port, heard = listener
    (tmp_path / "a.gml").write_text(
        '<ogr:FeatureCollection xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" '
        f'xsi:schemaLocation="http://ogr.maptools.org/ http://127.0.0.1:{port}/a.xsd" '
        'xmlns:ogr="http://ogr.maptools.org/" xmlns:gml="http://www.opengis.net/gml"><gml:featureMember><ogr:a fid="1">'
        "<ogr:g><gml:Point><gml:coordinates>1,2</gml:coordinates></gml:Point></ogr:g></ogr:a></gml:featureMember>"
        "</ogr:FeatureCollection>"
    )
    assert read(tmp_path / "a.gml", vector(), crs="EPSG:4326").rows[0]["geom"].wkt == "POINT (1 2)"
    assert not heard


def test_reader_refuses_to_work_with_other_drivers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ingest.sandbox.skip_list", lambda: "")
    file = tmp_path / "a.geojson"
    file.write_text('{"type":"FeatureCollection","features":[]}')
    with pytest.raises(SourceUnreadable, match="allow-list"):
        read(file, vector())


def test_private_directory_is_removed(csv_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "scratch"))
    (tmp_path / "scratch").mkdir()
    point = {"x": "x", "y": "y"}
    read(csv_file, vector(attributes={"name": "text"}), point=point, crs="EPSG:4326")
    with open_rows(plan_for(csv_file, vector(), point=point, crs="EPSG:4326")) as stream:
        next(iter(stream))
    assert list((tmp_path / "scratch").iterdir()) == []


def test_source_readable_by_its_owner_alone(csv_file: Path) -> None:
    csv_file.chmod(0o600)
    found = read(csv_file, table({"name": "text"}))
    assert found.summary.good == 5000


def test_time_limit(csv_file: Path) -> None:
    began = time.monotonic()
    with pytest.raises(SourceUnreadable, match=r"took longer than the 0\.05 s"):
        read(csv_file, table({"name": "text"}), ReadLimits(seconds=0.05))
    assert time.monotonic() - began < 20


def test_memory_limit(tmp_path: Path) -> None:
    file = tmp_path / "big.topojson"
    arcs = ",".join(["[[0,0],[1,1]]"] * 2_000_000)
    file.write_text(f'{{"type":"Topology","objects":{{"a":{{"type":"GeometryCollection"}}}},"arcs":[{arcs}]}}')
    with pytest.raises(SourceUnreadable, match=r"MiB"):
        read(file, vector(), ReadLimits(seconds=60, memory=700 << 20), crs="EPSG:4326")


@pytest.mark.parametrize("number", [signal.SIGSEGV, signal.SIGKILL, signal.SIGABRT])
def test_crash_becomes_a_sentence(csv_file: Path, number: signal.Signals) -> None:
    limits = ReadLimits(seconds=60, batch_rows=10)
    layer = vector(attributes={"name": "text"})
    with open_rows(plan_for(csv_file, layer, limits, point={"x": "x", "y": "y"}, crs="EPSG:4326")) as stream:
        rows = iter(stream)
        next(rows)
        os.kill(stream.pid, number)
        with pytest.raises(SourceUnreadable, match=r"damaged or hostile"):
            list(rows)


def test_child_dies_with_its_parent(csv_file: Path, tmp_path: Path) -> None:
    code = f"""
    import os, pathlib, sys
    from ingest.job import ReadLimits
    from ingest.sandbox import open_rows
    from tests.ingest.reading import plan_for, vector
    plan = plan_for(pathlib.Path({str(csv_file)!r}), vector(attributes={{"name": "text"}}),
                    ReadLimits(batch_rows=10), point={{"x": "x", "y": "y"}}, crs="EPSG:4326")
    stream = open_rows(plan)
    next(iter(stream))
    print(stream.pid, flush=True)
    os.kill(os.getpid(), 9)
    """
    ended = run_child(code, tmp_path, {**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(tmp_path)})
    child = int(ended.stdout.split()[0])
    deadline = time.monotonic() + 10
    while _alive(child) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not _alive(child)


def _alive(process: int) -> bool:
    try:
        state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def test_missing_and_empty_sources(tmp_path: Path) -> None:
    with pytest.raises(SourceMissing, match="does not exist"):
        read(tmp_path / "no.gpkg", vector())
    with pytest.raises(SourceMissing, match="is not a file"):
        read(tmp_path, vector())
    (tmp_path / "empty.gpkg").touch()
    with pytest.raises(SourceUnreadable, match="empty"):
        read(tmp_path / "empty.gpkg", vector())


def test_database_in_use_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.gpkg").write_bytes(b"SQLite format 3\x00")
    (tmp_path / "a.gpkg-wal").write_bytes(b"x")
    with pytest.raises(SourceUnreadable, match="open in another program"):
        read(tmp_path / "a.gpkg", vector())


def test_summary_only_after_the_rows(csv_file: Path) -> None:
    with open_rows(plan_for(csv_file, table({"name": "text"}))) as stream:
        with pytest.raises(RuntimeError, match="read to its end"):
            _ = stream.summary
        assert sum(b.num_rows for b in stream) == stream.summary.read == 5000


def test_batches_are_bounded(csv_file: Path) -> None:
    with open_rows(plan_for(csv_file, table({"name": "text"}), ReadLimits(batch_rows=700))) as stream:
        sizes = [b.num_rows for b in stream]
    assert sum(sizes) == 5000
    assert max(sizes) == 700


def test_plan_survives_the_way_to_the_child(tmp_path: Path) -> None:
    layer = vector("polygon", {"a": {"type": "number", "range": [0, 5]}}, tiles={"from": 3, "to": 9})
    plan = plan_for(tmp_path / "a.csv", layer, fields={"X": "a"}, select={"X": "*"}, values={"a": {"1": None}})
    assert plan_from_json(json.loads(json.dumps(plan_to_json(plan)))) == plan


def test_schema_follows_the_definition() -> None:
    kinds = {"t": "text", "i": "integer", "n": "number", "b": "boolean", "d": "date", "w": "datetime"}
    schema = batch_schema(vector(attributes=kinds))
    assert schema.names == [*kinds, "geom", "_position", "_reason", "_raw"]
    assert schema.field("w").type == pa.timestamp("us", tz="UTC")
    assert "geom" not in batch_schema(table(kinds)).names


def test_errors_of_a_lying_child_are_tamed() -> None:
    found = error_from_json({"error": "SystemExit", "detail": "x" * 9999, "facts": {"a": {"b": object()}}})
    assert type(found) is SourceUnreadable
    assert len(found.detail) == 2000
    assert type(error_from_json({"error": "CrsRefused", "detail": "no", "facts": {}})) is CrsRefused


def test_separators_of_unicode_inside_values_break_no_message(tmp_path: Path) -> None:
    """U+2028, U+2029 and U+0085 end a line for Python, and not in JSON; frequent values come back as messages."""
    names = [f"a{mark}b" for mark in ("\u2028", "\u2029", "\x85", "\x1c", "\v", "\f")]
    collection = {
        "type": "FeatureCollection",
        "features": [
            {"type": "Feature", "properties": {"name": n}, "geometry": {"type": "Point", "coordinates": [105, 38]}}
            for n in names
        ],
    }
    file = tmp_path / "points.geojson"
    file.write_text(json.dumps(collection, ensure_ascii=False), encoding="utf-8")
    found = read(file, vector(attributes={"name": "text"}), crs="EPSG:4326")
    assert [row["name"] for row in found.rows] == names
    assert set(found.summary.profile[0].values or ()) == set(names)
