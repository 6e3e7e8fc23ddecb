"""What a suite has found: results of TestNG, and the logs of the OGC's CTL engine."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from lxml import etree

PASSED, FAILED, SKIPPED = "passed", "failed", "skipped"
_TESTNG = {"PASS": PASSED, "FAIL": FAILED, "SKIP": SKIPPED}
_CTL = {
    # Of the engine: continue, best practice, pass, not tested, skipped, warning, failure of a test called, failure.
    "-1": PASSED, "0": PASSED, "1": PASSED, "2": SKIPPED, "3": SKIPPED, "4": PASSED, "5": None, "6": FAILED,
}  # fmt: skip


@dataclass
class Tally:
    """Names of tests by how they ended."""

    passed: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)

    @property
    def count(self) -> int:
        """All of them."""
        return len(self.passed) + len(self.failed) + len(self.skipped)

    @property
    def clean(self) -> bool:
        """Whether something was tested and nothing failed."""
        return bool(self.passed) and not self.failed

    def add(self, name: str, end: str) -> None:
        """Count a test."""
        {PASSED: self.passed, FAILED: self.failed, SKIPPED: self.skipped}[end].append(name)


def of_testng(folder: Path) -> Tally:
    """Results of the run below a folder; a method that only prepares counts when it failed."""
    tally = Tally()
    for file in sorted(folder.rglob("testng-results.xml")):
        for group in _parsed(file).iter("class"):
            for method in group.iter("test-method"):
                end = _TESTNG[method.get("status")]
                if end == FAILED or method.get("is-config") != "true":
                    tally.add(f"{group.get('name').removeprefix('org.opengis.cite.')}.{method.get('name')}", end)
    return tally


def of_ctl(folder: Path) -> Tally:
    """Results of the logs below a folder: one log per call of a test. One that did not end has failed."""
    tally = Tally()
    for file in sorted(folder.rglob("log.xml")):
        log = _parsed(file)
        start, end = log.find("starttest"), log.find("endtest")
        if start is None:
            continue
        # A test that fails because one that it calls did is not counted beside that one.
        result = FAILED if end is None else _CTL[end.get("result")]
        if result is not None:
            tally.add(f"{start.get('prefix')}:{start.get('local-name')}", result)
    return tally


def _parsed(file: Path) -> etree._Element:
    parser = etree.XMLParser(resolve_entities=False, no_network=True, huge_tree=True)
    return etree.parse(file, parser).getroot()
