"""Text that means harm, wherever a stranger can put it, on every page that shows it: it stays text.

Names of files, values of attributes, reasons, owners and errors are full of markup and scripts. Afterwards no script
of theirs has run, no request has left the service, no dialog has opened, no breach of the policy was reported, and no
element was made of them; what is shown is what was written.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest
import shapely
import sqlalchemy as sa
from playwright.sync_api import Browser, Page

from geoservice.app import create_app
from geoservice.db.credentials import Role
from geoservice.db.engine import Database
from geoservice.jobs import queue
from geoservice.jobs.perform import Performer
from geoservice.jobs.runner import outcome
from geoservice.loads.complete import complete_report
from layers.catalog import Catalog, read_catalog
from tests.browser.conftest import DESKTOP, Witness
from tests.contract.test_uploads import TUS, begin_headers, make_loader
from tests.support.jobs import claimed, write_layers
from tests.support.loading import prepared, write_rows
from tests.support.serving import serving
from web.documents import load_file as page_of

PAYLOADS = (
    '<img src=x onerror="window.struck=1">',
    '"><script>window.struck=2</script>',
    "'-(window.struck=3)-'",
    "`${window.struck=4}`",
    "{{7*7}}${7*7}<%=7*7%>",
    "javascript:window.struck=5",
    "</script><script>window.struck=6</script>",
    "<svg onload=window.struck=7>",
    '<a href="javascript:window.struck=8">x</a>',
    '<meta http-equiv=refresh content="0;url=http://evil.example">',
    '<style>@import "http://evil.example/x"</style>',
    "<!--<base href=http://evil.example>",
    "\u2028window.struck=9\u202e",
    "http://evil.example/?\"onmouseover='window.struck=10'",
    "&lt;b&gt;&#60;b&#62;%3Cb%3E\\u003cb\\u003e",
)
NAMED = tuple(one.replace("/", "∕").replace("\\", "＼").replace("\u2028", "") for one in PAYLOADS)
"""The same as names of files, which have no slashes."""
FOREIGN = """() => [...document.querySelectorAll(
    'img[src=x], [onerror], [onload], [onmouseover], a[href^="javascript:" i], base, meta[http-equiv=refresh i],'
    + ' a[href*="evil.example"][onmouseover], svg[onload]')].map((one) => one.outerHTML)"""


@dataclass
class Scene:
    """The service after hostile loads, and what came of them."""

    url: str
    database: Database
    catalog: Catalog
    key: str
    loads: list[int] = field(default_factory=list)
    jobs: list[int] = field(default_factory=list)

    def ask(self, method: str, path: str, **more: Any) -> httpx.Response:
        headers = {"X-API-Key": self.key, **more.pop("headers", {})}
        return httpx.request(method, f"{self.url}{path}", headers=headers, timeout=60, **more)

    def upload(self, file: Path, name: str) -> str:
        content = file.read_bytes()
        begun = self.ask("POST", "/uploads", headers={**TUS, **begin_headers(len(content), name)})
        assert begun.status_code == 201, begun.text
        path = begun.headers["location"].removeprefix(self.url)
        part = {**TUS, "Content-Type": "application/offset+octet-stream", "Upload-Offset": "0"}
        assert self.ask("PATCH", path, content=content, headers=part).status_code == 204
        return str(path.rpartition("/")[2])

    def work(self) -> None:
        """Do the next job as a runner does it, and conclude it as a worker does."""
        performer = Performer(self.database.settings, self.database)
        claimed(self.database, lambda job: outcome(performer, job.id, lambda _: None))

    def load(self, file: Path, name: str, **options: Any) -> None:
        """Bring a file and have it loaded, as the worker does it."""
        body = {"layer": "spot", "uploads": [self.upload(file, name)], "mapping": "gpkg", "options": options}
        made = self.ask("POST", "/jobs", json=body)
        assert made.status_code == 201, made.text
        self.work()
        self.jobs.append(int(made.json()["jobID"]))
        self.loads.append(int(self.ask("GET", "/collections/spot/loads").json()["loads"][0]["number"]))


@pytest.fixture(scope="module")
def scene(module_database: Database, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    folder = tmp_path_factory.mktemp("payloads")
    layers = write_layers(folder, "spot", row_clearance=None)
    catalog = read_catalog(layers)
    prepared(module_database, catalog)
    settings = module_database.settings.model_copy(update={"layers_dir": layers})
    database, key = Database.from_settings(settings), make_loader(module_database, "load", clearance=2)
    with serving(create_app(settings, catalog)) as url:
        made = Scene(url, database, catalog, key)
        _perform(made, folder)
        yield made


def _perform(scene: Scene, folder: Path) -> None:
    """Loads that go well, in part and not at all; a withdrawal; a mended row; jobs that wait and that failed."""
    good = write_rows(folder / "good.gpkg", [hostile_row(n, None) for n in range(len(PAYLOADS))])
    bad = write_rows(folder / "bad.gpkg", [hostile_row(n, one) for n, one in enumerate(PAYLOADS)])
    garbage = folder / "garbage.gpkg"
    garbage.write_bytes(PAYLOADS[0].encode() * 50)
    for number, (file, name) in enumerate(((good, NAMED[0]), (bad, NAMED[1]), (garbage, NAMED[6]))):
        scene.load(file, f"{name}.gpkg", owner=PAYLOADS[number])
    assert len(set(scene.loads)) == 3
    rows = scene.ask("GET", "/collections/spot/quarantine?limit=100").json()["rows"]
    assert len(rows) == len(PAYLOADS), "the levels that are none went to quarantine"
    mended = {"fields": {"name": PAYLOADS[1]}}
    assert scene.ask("PATCH", f"/collections/spot/quarantine/{rows[0]['id']}", json=mended).status_code == 200
    given_up = {"reason": PAYLOADS[0]}
    assert scene.ask("POST", f"/collections/spot/quarantine/{rows[1]['id']}/dismiss", json=given_up).status_code == 200
    edition = scene.ask("GET", "/collections/spot/editions").json()["editions"][0]["number"]
    taken = scene.ask("POST", f"/editions/{edition}/withdraw", json={"reason": PAYLOADS[1]})
    assert taken.status_code == 201, taken.text
    scene.work()
    scene.load(good, f"{NAMED[7]}.gpkg", owner=PAYLOADS[8])
    waiting = scene.ask("POST", "/jobs", json={"layer": "spot", "uploads": [scene.upload(good, f"{NAMED[8]}.gpkg")],
                                               "mapping": "gpkg"})  # fmt: skip
    scene.jobs.append(int(waiting.json()["jobID"]))
    _break(scene, scene.jobs[2])


def _break(scene: Scene, number: int) -> None:
    """Have a job fail with words of a stranger, as a fault of a library might quote them."""
    error = {"kind": PAYLOADS[0], "title": PAYLOADS[1], "detail": " ".join(PAYLOADS)}
    with scene.database.transaction(Role.WRITER) as connection:
        connection.execute(sa.update(queue.table).where(queue.table.c.id == number).values(error=error))


def hostile_row(number: int, level: str | None) -> dict[str, Any]:
    payload = PAYLOADS[number]
    point = shapely.Point(105 + number / 1000, 38)
    return {"code": f"{number}{payload}", "name": payload, "level": level, "secret": payload, "geometry": point}


@dataclass
class Stage:
    """A window in which hostile text is looked at."""

    page: Page
    url: str
    dialogs: list[str] = field(default_factory=list)

    def look(self, path: str) -> str:
        """Open a page; what it shows as text."""
        self.page.goto(f"{self.url}{path}")
        return self.check()

    def check(self) -> str:
        assert self.page.evaluate("window.struck") is None, "a script of a stranger has run"
        assert self.page.evaluate(FOREIGN) == [], "markup of a stranger became an element"
        assert self.dialogs == []
        return str(self.page.evaluate("document.body.textContent"))


@pytest.fixture
def stage(browser: Browser, scene: Scene) -> Iterator[Stage]:
    context = browser.new_context(
        viewport={"width": DESKTOP[0], "height": DESKTOP[1]}, extra_http_headers={"X-API-Key": scene.key}
    )
    page, witness = context.new_page(), Witness(scene.url)
    stage = Stage(page, scene.url)

    def dismissed(dialog: Any) -> None:
        stage.dialogs.append(dialog.message)
        dialog.dismiss()

    page.on("request", witness.request)
    page.on("console", witness.console)
    page.on("pageerror", lambda error: witness.complaints.append(str(error)))
    page.on("dialog", dismissed)
    yield stage
    context.close()
    assert witness.outside == []
    assert [said for said in witness.complaints if "status of 4" not in said] == []


@pytest.mark.parametrize("language", ["zh", "en"])
def test_reports_of_loads(stage: Stage, scene: Scene, language: str) -> None:
    shown = [stage.look(f"/loads/{number}?f=html&lang={language}") for number in scene.loads]
    for text, name, owner in zip(shown, (NAMED[0], NAMED[1], NAMED[6], NAMED[7]), PAYLOADS[:3], strict=False):
        assert f"{name}.gpkg" in text
        assert owner in text or "garbage" not in text
    values = shown[0]
    assert PAYLOADS[0] in values, "values of attributes"
    for payload in PAYLOADS[:8]:
        assert payload in shown[1], "reasons and contents of quarantined rows"
    for button in stage.page.locator("summary").all():
        button.click()
    stage.check()


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("/collections/spot/loads?f=html&lang=zh", NAMED[1]),
        ("/collections/spot/editions?f=html&lang=en", PAYLOADS[1]),
        ("/jobs?f=html&limit=50", NAMED[8]),
        ("/jobs/{failed}?f=html", PAYLOADS[6]),
        ("/collections/spot/items?f=html&limit=50", PAYLOADS[2]),
        ("/collections/spot?f=html", ""),
    ],
)
def test_lists_and_pages(stage: Stage, scene: Scene, path: str, told: str) -> None:
    assert told in stage.look(path.replace("{failed}", str(scene.jobs[2])))


@pytest.mark.parametrize("payload", PAYLOADS)
def test_pages_of_errors(stage: Stage, scene: Scene, payload: str) -> None:
    """What a page of an error repeats of the address that was asked for."""
    asked = quote(payload, safe="")
    for path in (f"/loads/{asked}?f=html", f"/jobs/{asked}?f=html", f"/collections/{asked}?f=html",
                 f"/jobs?f=html&status={asked}", f"/collections/spot/loads?f=html&{asked}=1"):  # fmt: skip
        stage.look(path)


@pytest.mark.parametrize("tail", ["", "/{row}", "?state=all", "?f=geojson"])
def test_answers_for_programs_are_no_pages(stage: Stage, scene: Scene, tail: str) -> None:
    """JSON that a person opens in a browser is shown as it is and not guessed to be a page."""
    row = scene.ask("GET", "/collections/spot/quarantine?state=all").json()["rows"][0]["id"]
    path = f"/collections/spot/quarantine{tail.replace('{row}', str(row))}"
    answer = scene.ask("GET", path)
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["content-security-policy"].startswith("default-src 'none'")
    if "attachment" not in answer.headers.get("content-disposition", ""):
        stage.look(path)


def test_a_row_that_is_mended_on_the_page(stage: Stage, scene: Scene) -> None:
    """The form shows what the source said as values of its fields, and what comes back as text."""
    page = stage.page
    stage.look(f"/loads/{scene.loads[1]}?f=html&lang=en")
    page.locator("#mend button").first.click()
    page.locator(".mend-form").wait_for()
    said = [box.input_value() for box in page.locator(".mend-form input, .mend-form textarea").all()]
    assert PAYLOADS[0] in said
    assert PAYLOADS[1] in said, "what the row was mended to"
    page.locator(".mend-form input").first.fill(PAYLOADS[7])
    page.locator(".mend-form textarea").fill(PAYLOADS[0])
    page.locator(".mend-form button[type=submit]").click()
    page.locator(".mend-error").wait_for()
    assert PAYLOADS[0] in stage.check(), "the refusal repeats the geometry that is none"


def test_a_report_as_a_file(browser: Browser, scene: Scene, tmp_path: Path) -> None:
    """The page that is passed on has a policy of its own and needs no service."""
    context = browser.new_context()
    page, outside, complaints = context.new_page(), list[str](), list[str]()
    page.on("request", lambda request: outside.append(request.url))
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    for number in scene.loads:
        body = complete_report(scene.database, scene.catalog, number).model_dump(mode="json") | {"links": []}
        file = tmp_path / f"{number}.html"
        file.write_text(page_of(body, language="en"), encoding="utf-8")
        page.goto(file.as_uri())
        assert page.evaluate("window.struck") is None
        assert page.evaluate(FOREIGN) == []
    context.close()
    assert [url for url in outside if not url.startswith("file:")] == []
    assert complaints == []


def test_the_panel_of_jobs(stage: Stage, scene: Scene, tmp_path: Path) -> None:
    """Jobs of others, files to be sent and what comes of them; the key is that of the portal's session."""
    page = stage.page
    page.goto(f"{scene.url}/portal?lang=en")
    signed = "(key) => fetch('/session', {method: 'POST', headers: {'Content-Type': 'application/json'}, body: key})"
    page.evaluate(signed, json.dumps({"key": scene.key}))
    page.reload()
    page.wait_for_selector("html[data-ready=yes]", timeout=60_000)
    page.click("[data-panel=jobs]")
    page.locator("ul.jobs li").first.wait_for()
    assert NAMED[8] in stage.check()
    name = f"spot{NAMED[0]}{NAMED[4]}.gpkg"
    content = write_rows(tmp_path / "x.gpkg", [hostile_row(n, PAYLOADS[n]) for n in range(3)]).read_bytes()
    page.select_option("#job-layer", "spot")
    page.set_input_files("#job-files", [{"name": name, "mimeType": "text/html", "buffer": content}])
    page.check("#job-dry")
    assert name in stage.check()
    scene.ask("DELETE", f"/jobs/{scene.jobs[-1]}")
    page.click("button[type=submit]")
    page.locator("#job-step:text-is('Waiting for its turn')").wait_for(timeout=60_000)
    stage.check()
    scene.work()
    page.wait_for_selector(".result .state", timeout=60_000)
    page.wait_for_timeout(500)
    assert name in stage.check()
    page.click("button:text('Load something else')")
    garbage = {"name": f"spot{NAMED[7]}.gpkg", "mimeType": "text/html", "buffer": PAYLOADS[0].encode()}
    page.set_input_files("#job-files", [garbage])
    page.click("button[type=submit]")
    page.locator("#job-step:text-is('Waiting for its turn')").wait_for(timeout=60_000)
    scene.work()
    page.locator(".result .state-error").wait_for(timeout=60_000)
    assert NAMED[7] in stage.check()


def test_the_traps_are_sharp(browser: Browser) -> None:
    """Negative control: on a page that does not escape, the traps go off."""
    page, outside = browser.new_page(), list[str]()
    page.on("request", lambda request: outside.append(request.url))
    page.route("http://evil.example/**", lambda route: route.abort())
    page.set_content("<!doctype html><body>" + "".join(one for one in PAYLOADS if "refresh" not in one))
    page.wait_for_function("window.struck !== undefined")
    assert page.evaluate(FOREIGN) != []
    assert any("evil.example" in url for url in outside)
    page.close()
