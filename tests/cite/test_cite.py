"""The runner of the suites, with a program in the place of Java that does what the suites do with their files."""

from __future__ import annotations

import os
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from tests.cite.__main__ import CLEAN, NOT_CLEAN, NOT_RUN, main
from tests.cite.engine import as_properties, find_jar, run_suite
from tests.cite.results import of_ctl, of_testng
from tests.cite.subject import CiteError, Subject
from tests.cite.suites import ENTITIES, SUITES

BY_NAME = {suite.name: suite for suite in SUITES}
FEATURES, WMTS = BY_NAME["ogcapi-features10"], BY_NAME["wmts10"]
TESTNG = """<testng-results total="4" passed="1" failed="1" skipped="1"><suite name="s"><test name="t">
<class name="org.opengis.cite.ogcapifeatures10.conformance.Core">
<test-method name="prepare" status="{prepare}" is-config="true"/><test-method name="lands" status="PASS"/>
<test-method name="lists" status="{lists}"/><test-method name="dates" status="SKIP"/>
</class></test></suite></testng-results>"""
LOG = '<log><starttest prefix="wmts" local-name="{name}"/>{end}</log>'
ENDS = {"good": '<endtest result="1"/>', "bad": '<endtest result="6"/>', "skipped": '<endtest result="3"/>'}

JAVA = f"""#!{sys.executable}
import os, sys
from pathlib import Path
options = dict(one[2:].split("=", 1) for one in sys.argv if one.startswith("-D"))
said = Path(os.environ["SAID"])
if sys.argv[-4].endswith("TestNGController"):
    place = Path(sys.argv[-2], "testng", "one")
    place.mkdir(parents=True)
    place.joinpath("testng-results.xml").write_text(said.read_text())
else:
    assert Path(options["TE_BASE"], "scripts", "wmts", "1.0.0", "ctl", "wmts-auto.xml").is_file()
    place = Path(options["java.io.tmpdir"], "session", "test")
    place.mkdir(parents=True)
    place.joinpath("log.xml").write_text(said.read_text())
"""


@pytest.fixture
def java(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A program called java that leaves, as the result of a suite, what is written into the file it returns."""
    programs = tmp_path / "bin"
    programs.mkdir()
    program = programs / "java"
    program.write_text(JAVA, encoding="utf-8")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}{os.pathsep}{os.environ['PATH']}")
    said = tmp_path / "said"
    monkeypatch.setenv("SAID", str(said))
    return said


@pytest.fixture
def jars(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with two versions of one suite and a CTL suite."""
    folder = tmp_path / "jars"
    folder.mkdir()
    for name in ("ets-ogcapi-features10-1.9-aio.jar", "ets-ogcapi-features10-1.10-aio.jar"):
        zipfile.ZipFile(folder / name, "w").close()
    with zipfile.ZipFile(folder / "ets-wmts10-1.11-aio.jar", "w") as jar:
        jar.writestr("org/opengis/cite/wmts10/ets.properties", "main-script = /wmts/1.0.0/ctl/wmts-auto.xml\n")
        jar.writestr("wmts/1.0.0/ctl/wmts-auto.xml", "<ctl/>")
    monkeypatch.setenv("CITE_JARS", str(folder))
    return folder


def test_the_newest_jar_is_taken(jars: Path) -> None:
    assert find_jar(FEATURES, jars).name == "ets-ogcapi-features10-1.10-aio.jar"
    with pytest.raises(CiteError, match="holds no ets-wms13"):
        find_jar(BY_NAME["wms13"], jars)


@pytest.mark.parametrize(
    ("prepare", "lists", "code"),
    [("PASS", "PASS", CLEAN), ("PASS", "FAIL", NOT_CLEAN), ("FAIL", "PASS", NOT_CLEAN)],
)
def test_the_exit_code_says_whether_the_suite_is_clean(
    java: Path, jars: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], prepare: str, lists: str, code: int
) -> None:
    java.write_text(TESTNG.format(prepare=prepare, lists=lists), encoding="utf-8")
    asked = ["ogcapi-features10", "--against", "http://127.0.0.1:9", "--results", str(tmp_path / "results")]
    assert main(asked) == code
    out = capsys.readouterr().out
    failed = [name for name, status in (("prepare", prepare), ("lists", lists)) if status == "FAIL"]
    assert f"{2 - (lists == 'FAIL')} passed, {len(failed)} failed, 1 skipped" in out
    for name in failed:
        assert f"failed: ogcapifeatures10.conformance.Core.{name}" in out


def test_without_jar_or_results_nothing_is_clean(
    java: Path, jars: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    against = ["--against", "http://127.0.0.1:9", "--results", str(tmp_path / "results")]
    assert main(["wms13", *against]) == NOT_RUN
    assert "holds no ets-wms13" in capsys.readouterr().err
    # The program finds nothing that it could leave as a result, and ends with an error.
    assert main(["ogcapi-features10", *against]) == NOT_RUN
    assert "left no results" in capsys.readouterr().out


@pytest.mark.parametrize(("end", "clean"), [("good", True), ("bad", False), ("skipped", False)])
def test_scripts_of_the_engine_are_unpacked_and_its_logs_read(
    java: Path, jars: Path, tmp_path: Path, end: str, clean: bool
) -> None:
    java.write_text(LOG.format(name=end, end=ENDS[end]), encoding="utf-8")
    tally = run_suite(WMTS, find_jar(WMTS, jars), {"capabilities-url": "http://127.0.0.1:9/wmts?a=1&b=2"}, tmp_path)
    assert tally.count == 1
    assert tally.clean is clean


def test_a_test_that_did_not_end_has_failed_and_one_that_inherits_a_failure_is_not_counted(tmp_path: Path) -> None:
    for name, end in {"main": '<endtest result="5"/>', "cut": "", **ENDS}.items():
        folder = tmp_path / name
        folder.mkdir()
        folder.joinpath("log.xml").write_text(LOG.format(name=name, end=end), encoding="utf-8")
    tally = of_ctl(tmp_path)
    assert (tally.passed, sorted(tally.failed), tally.skipped) == (
        ["wmts:good"],
        ["wmts:bad", "wmts:cut"],
        ["wmts:skipped"],
    )


def test_no_results_are_no_success(tmp_path: Path) -> None:
    assert not of_testng(tmp_path).clean
    assert not of_ctl(tmp_path).clean


@dataclass(frozen=True)
class Told(Subject):
    """A service that has so many entities of each kind but one."""

    empty: str = ""

    def json(self, place: str) -> Any:
        """Entities; the service answers with no other document."""
        name = place.removeprefix("/sensorthings/v1.1/").removesuffix("?$top=1")
        assert name in ENTITIES
        return {"value": [] if name == self.empty else [{"@iot.id": 1}]}


def test_suites_about_sensors_are_told_where_to_ask() -> None:
    here = "http://127.0.0.1:9"
    sta, edr = BY_NAME["sta10"], BY_NAME["ogcapi-edr10"]
    assert (sta.main_class, edr.main_class) == (
        "org.opengis.cite.sta10.TestNGController",
        "org.opengis.cite.ogcapiedr10.TestNGController",
    )
    assert sta.arguments(Told(here)) == {"iut": f"{here}/sensorthings/v1.1", "ics": "1"}
    for name in ENTITIES:
        with pytest.raises(CiteError, match=f"has no {name}"):
            sta.arguments(Told(here, name))
    told = edr.arguments(Subject(here))
    assert (told["iut"], told["apidefinition"]) == (f"{here}/", f"{here}/api?f=3.0")


def test_arguments_are_escaped() -> None:
    text = as_properties({"capabilities-url": "http://127.0.0.1/wms?A=1&B=<2>"})
    root = ET.fromstring(text.partition("\n")[2].partition("\n")[2])  # noqa: S314
    assert [(entry.get("key"), entry.text) for entry in root] == [
        ("capabilities-url", "http://127.0.0.1/wms?A=1&B=<2>")
    ]
