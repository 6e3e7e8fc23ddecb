"""The worked examples, run as they stand in the documents, against a served sample region with a worker."""

from __future__ import annotations

import csv
import os
import re
import runpy
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import geopandas as gpd
import httpx
import jsonschema
import pytest
import shapely

from geoservice.cli.demo import sample_deliveries
from geoservice.cli.ingest import load_source
from geoservice.cli.layers import synchronise
from geoservice.processes.registry import PROCESSES
from geoservice.settings import Settings
from layers.catalog import read_catalog
from tests.architecture.checkout import DOCS
from tests.contract.test_jobs_api import served
from tests.contract.test_uploads import make_loader
from tests.support.database import copied_database
from tests.support.jobs import until

EXAMPLES = DOCS / "examples"
WRITTEN = "http://127.0.0.1:8000"
LOADED = {"division", "school", "road", "elevation"}
PARCELS = 500
POINTS = [(105.05, 38.55), (104.98, 38.62), (105.02, 38.6), (0.0, 0.0)]
PATIENCE = 120


@dataclass
class Stage:
    """A served sample region, a key, and the counties as geopandas reads them."""

    address: str
    key: str
    counties: gpd.GeoDataFrame


@pytest.fixture(scope="module")
def stage(cluster_settings: Settings) -> Iterator[Stage]:
    catalog = read_catalog()
    with copied_database(cluster_settings) as database:
        settings = database.settings
        synchronise(settings, database)
        files = {}
        for one in sample_deliveries(settings, catalog, PARCELS):
            if catalog.layer(one.layer).name in LOADED:
                load_source(catalog, database, one.layer, one.file, one.mapping, quiet=True)
                files[catalog.layer(one.layer).name] = one.file
        divisions = gpd.read_file(files["division"])
        kept = {name: value for name, value in os.environ.items() if not name.startswith("GEOSERVICE_")}
        named = {"GEOSERVICE_HOME": str(settings.home), "GEOSERVICE_DATABASE_NAME": settings.database_name}
        with served({**kept, **named}) as (address, _):
            # The worker keeps the index of names.
            until(lambda: httpx.get(f"{address}/gazetteer/names", params={"q": "小学"}).json()["results"], every=0.5)
            yield Stage(address, make_loader(database), divisions[divisions["level"] == "county"])


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a table of points, as a reader of the pages would have it."""
    lines = ["id,lon,lat", *(f"{number},{x},{y}" for number, (x, y) in enumerate(POINTS))]
    (tmp_path / "points.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    for file in ("client.py", "lookup.mjs"):
        shutil.copy(EXAMPLES / file, tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    return tmp_path


def blocks(page: str, language: str, stage: Stage) -> list[str]:
    """Fenced blocks of a page, with the address of this service and a key that is one."""
    text = (EXAMPLES / page).read_text(encoding="utf-8")
    found = re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    return [one.replace(WRITTEN, stage.address).replace("gs_…", stage.key) for one in found]


def commands(page: str, stage: Stage) -> list[list[str]]:
    lines = "".join(blocks(page, "bash", stage)).replace("\\\n", " ").splitlines()
    return [shlex.split(line) for line in lines if line.strip()]


def done(command: list[str]) -> str:
    run = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert run.returncode == 0, (command, run.stdout[-500:], run.stderr[-1000:])
    return run.stdout


def offered(block: str) -> bool:
    """Whether this service has the process that a block asks for."""
    return "service.export" not in block or "export" in PROCESSES


def assert_joined(stage: Stage, text: str) -> None:
    """Rows in order, each with the county that geopandas finds."""
    rows = list(csv.DictReader(text.splitlines()))
    assert [row["id"] for row in rows] == [str(number) for number in range(len(POINTS))]
    for row, place in zip(rows, POINTS, strict=True):
        inside = stage.counties[stage.counties.contains(shapely.Point(place))]
        assert row["division_key"] == (inside["adcode"].iloc[0] if len(inside) else ""), row
    assert any(row["division_key"] for row in rows)


def assert_shared(stage: Stage, desk: Path) -> None:
    """The site with every county that it shares an area with."""
    with (desk / "shares.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    site = shapely.from_wkt(rows[0]["wkt"])
    inside = stage.counties[shapely.area(shapely.intersection(stage.counties.geometry.to_numpy(), site)) > 0]
    assert {row["division_key"] for row in rows} == set(inside["adcode"])
    assert all(float(row["division_shared_area"]) > 0 for row in rows)


def test_python(stage: Stage, desk: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found: dict[str, Any] = {}
    for number, block in enumerate(block for block in blocks("python.md", "python", stage) if offered(block)):
        program = desk / f"step{number}.py"
        program.write_text(f"from pathlib import Path\nfrom client import Client\n{block}", encoding="utf-8")
        found |= runpy.run_path(str(program))
    assert_joined(stage, (desk / "found.csv").read_text(encoding="utf-8"))
    assert_shared(stage, desk)
    assert "小学" in capsys.readouterr().out
    assert found["chain"]
    assert found["places"]
    assert found["here"]["collections"]
    assert found["way"]["type"] in {"Feature", "FeatureCollection"}
    if "export" in PROCESSES:
        count = httpx.get(f"{stage.address}/collections/school").json()["itemCount"]
        assert len(gpd.read_file(desk / "school.gpkg")) == count


def test_a_batch_lookup_takes_ten_lines(stage: Stage) -> None:
    block = blocks("python.md", "python", stage)[0]
    assert len([line for line in block.splitlines() if line.strip()]) <= 10


def test_the_client_pages_through_everything(stage: Stage, desk: Path) -> None:
    from client import Client, Problem  # type: ignore[import-not-found]  # noqa: PLC0415

    with Client(stage.address) as service:
        pages = [one["id"] for one in service.items("school", page=7)]
        whole = [one["id"] for one in service.items("school", page=10_000)]
        assert pages == whole
        assert len(set(pages)) == len(pages) > 7
        assert service.execute("sheet", {"sheet_number": "J50"})["number"] == "J50"
        assert {one["id"] for one in service.collections()} >= {"school", "division"}
        assert any(one["rel"] == "service-desc" for one in service.landing()["links"])
        assert service.feature("division", "990101")["properties"]["level"] == "county"
        with pytest.raises(Problem, match="no collection 'nowhere'"):
            next(service.items("nowhere"))
        with pytest.raises(ValueError, match="is not of the service"):
            service._own("http://elsewhere.example/jobs/1")
        with pytest.raises(Problem, match="401" if "export" in PROCESSES else "404"):
            service.export({"collection": "school", "f": "gpkg"}, desk / "none.gpkg")
        with pytest.raises(Problem):
            service.join(desk / "points.csv", desk / "none.csv", "nowhere")
        assert not list(desk.glob("none*"))


def test_curl(stage: Stage, desk: Path) -> None:
    for command in commands("curl.md", stage):
        assert command[0] == "curl"
        answer = done(["curl", "-sS", "--fail-with-body", *command[1:]])
        assert answer.lstrip().startswith("{") or "-o" in command, command
    assert_joined(stage, (desk / "found.csv").read_text(encoding="utf-8"))


@pytest.mark.skipif(not shutil.which("ogr2ogr"), reason="GDAL's programs are not installed")
def test_gdal(stage: Stage, desk: Path) -> None:
    said = [done(command) for command in commands("gdal.md", stage)]
    assert "division" in said[0]
    box = f"{stage.address}/collections/school/items?bbox=104.9,38.4,105.2,38.7&limit=10000"
    read = gpd.read_file(desk / "school.gpkg")
    assert len(read) == len(httpx.get(box).json()["features"]) > 0
    assert read.crs.to_epsg() == 4525
    middle = gpd.read_file(desk / "middle.gpkg")
    assert len(middle) == (read["kind"] == "middle").sum() > 0


@pytest.mark.skipif(not shutil.which("node"), reason="Node is not installed")
def test_javascript(stage: Stage, desk: Path) -> None:
    (command,) = commands("javascript.md", stage)
    assert_joined(stage, done(command))
    (block,) = blocks("javascript.md", "javascript", stage)
    (desk / "walk.mjs").write_text(block, encoding="utf-8")
    said = done(["node", "walk.mjs"])
    assert "990101" in said
    assert "division_key" in said


@pytest.mark.skipif(not shutil.which("Rscript"), reason="R is not installed")
def test_r(stage: Stage, desk: Path) -> None:
    (block,) = blocks("r.md", "r", stage)
    (desk / "lookup.R").write_text(block, encoding="utf-8")
    done(["Rscript", "lookup.R"])


def test_pages_are_all_there() -> None:
    listed = re.findall(r"\]\((\w+\.md)\)", (EXAMPLES / "README.md").read_text(encoding="utf-8"))
    assert set(listed) == {page.name for page in EXAMPLES.glob("*.md")} - {"README.md"}


HERE = "lon=105.05&lat=38.55"
WAY = {"waypoints": [[104.95, 38.5], [105.05, 38.55]]}
ASKED: list[tuple[str, str, str, Any]] = [
    ("get", "/gazetteer/divisions", "/gazetteer/divisions?limit=2", None),
    ("get", "/gazetteer/divisions/at", f"/gazetteer/divisions/at?{HERE}", None),
    ("get", "/gazetteer/divisions/{division_code}", "/gazetteer/divisions/990101", None),
    ("get", "/gazetteer/divisions/{division_code}/children", "/gazetteer/divisions/990101/children", None),
    ("get", "/gazetteer/divisions/{division_code}/chain", "/gazetteer/divisions/990101/chain", None),
    ("get", "/gazetteer/convert", "/gazetteer/convert?code=990101&from=2015&to=2020", None),
    ("get", "/query/values", f"/query/values?{HERE}&collection=elevation", None),
    (
        "post",
        "/query/values",
        "/query/values?collection=elevation&spacing=5000",
        {"geometry": {"type": "LineString", "coordinates": [[104.95, 38.5], [105.05, 38.55]]}},
    ),
    ("get", "/routing", "/routing", None),
    ("get", "/routing/routes", "/routing/routes?from=104.95,38.5&to=105.05,38.55", None),
    ("post", "/routing/routes", "/routing/routes", WAY),
    ("post", "/routing/nearest", "/routing/nearest", {"place": [105.05, 38.55], "facilities": [[105.0, 38.6]]}),
    ("post", "/routing/isochrones", "/routing/isochrones", {"places": [[105.05, 38.55]], "breaks": [300]}),
    ("post", "/routing/matrix", "/routing/matrix", {"sources": [[104.95, 38.5], [105.05, 38.55]]}),
]


@pytest.mark.parametrize(
    ("method", "path", "address", "body"), ASKED, ids=lambda one: one if isinstance(one, str) else ""
)
def test_answers_with_data_have_their_shape(stage: Stage, method: str, path: str, address: str, body: Any) -> None:
    document = httpx.get(f"{stage.address}/api?f=3.1").json()
    announced = document["paths"][path][method]["responses"]["200"]["content"]
    answer = httpx.request(method, stage.address + address, json=body, timeout=PATIENCE)
    assert answer.status_code == 200, answer.text
    schema = announced[answer.headers["content-type"].partition(";")[0]]["schema"]
    whole = {**schema, "components": {"schemas": document["components"]["schemas"]}}
    jsonschema.Draft202012Validator(whole).validate(answer.json())


def test_embedding(stage: Stage, desk: Path) -> None:
    """The maps for notebooks, made as the page has it and looked into."""
    layer, impact = blocks("../embedding.md", "python", stage)
    program = desk / "notebook.py"
    program.write_text(layer, encoding="utf-8")
    runpy.run_path(str(program))
    saved = (desk / "schools.html").read_text(encoding="utf-8")
    pupils = [one["properties"]["pupils"] for one in _schools(stage, "pupils > 100")]
    assert pupils
    assert min(pupils) > 100
    assert f"({len(pupils)})" in saved
    assert "http" not in re.sub(
        r"https?://(?:www\.w3\.org|leafletjs\.com|[^\s\"']*github)[^\s\"']*", "", saved.split("</head>")[1]
    )
    program.write_text(impact, encoding="utf-8")
    runpy.run_path(str(program))
    assert "no data" in (desk / "impact.html").read_text(encoding="utf-8")


def _schools(stage: Stage, condition: str) -> list[dict[str, Any]]:
    asked = {"filter": condition, "limit": 1000}
    found: list[dict[str, Any]] = httpx.get(f"{stage.address}/collections/school/items", params=asked).json()[
        "features"
    ]
    return found
