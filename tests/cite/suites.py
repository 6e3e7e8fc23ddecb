"""The suites: what they are called, how they are started, and what they want to know of the service."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from tests.cite.subject import CiteError, Subject, capabilities, one_tile

Kind = Literal["testng", "ctl"]


@dataclass(frozen=True)
class Suite:
    """One executable test suite.

    Attributes:
        name: Name on the command line, and of its artifact after `ets-`.
        version: The version that Maven is asked for; a folder of jars may hold any.
        kind: Whether its tests are Java methods (TestNG) or scripts of the OGC's own language (CTL).
        package: Java package of its controller.
        arguments: Test run arguments for a service.
    """

    name: str
    version: str
    kind: Kind
    package: str
    arguments: Callable[[Subject], Mapping[str, str]]

    @property
    def artifact(self) -> str:
        """Name of the artifact, without version."""
        return f"ets-{self.name}"

    @property
    def main_class(self) -> str:
        """The class that runs it from a command line."""
        return f"org.opengis.cite.{self.package}.{'TestNGController' if self.kind == 'testng' else 'CtlController'}"


def _features(subject: Subject) -> Mapping[str, str]:
    return {"iut": subject.address + "/", "noofcollections": "-1"}


def _tiles(subject: Subject) -> Mapping[str, str]:
    template, matrix, row, col = one_tile(subject)
    return {
        "iut": subject.address + "/",
        "noofcollections": "-1",
        "tilematrixsetdefinitionuri": "http://www.opengis.net/def/tilematrixset/OGC/1.0/WebMercatorQuad",
        "urltemplatefortiles": template,
        "tilematrix": matrix,
        "mintilerow": str(row),
        "maxtilerow": str(row),
        "mintilecol": str(col),
        "maxtilecol": str(col),
    }


def _wmts(subject: Subject) -> Mapping[str, str]:
    return {"capabilities-url": capabilities(subject, "wmts", "WMTS", "1.0.0")}


def _wms(subject: Subject) -> Mapping[str, str]:
    # The options want the data set that the suite brings along, or, as a recommendation, an agency's address.
    return {"capabilities-url": capabilities(subject, "wms", "WMS", "1.3.0"), "updatesequence": "auto"}


def _sensorthings(subject: Subject) -> Mapping[str, str]:
    """Level 1 alone: what is beyond it writes, and the suite has no way to send a key."""
    root = f"{subject.address}{SENSORTHINGS}"
    for name in ENTITIES:
        if not subject.json(f"{SENSORTHINGS}/{name}?$top=1")["value"]:
            raise CiteError(f"{root} has no {name}; the suite needs one of each kind.")
    return {"iut": root, "ics": "1"}


def _edr(subject: Subject) -> Mapping[str, str]:
    # Its parser of API definitions does not know OpenAPI 3.1. Releases differ in how they write the argument's name.
    definition = f"{subject.address}/api?f=3.0"
    return {
        "iut": subject.address + "/",
        "noofcollections": "-1",
        "apidefinition": definition,
        "apiDefinition": definition,
    }


SENSORTHINGS = "/sensorthings/v1.1"
ENTITIES = (
    "Things",
    "Locations",
    "HistoricalLocations",
    "Datastreams",
    "Sensors",
    "ObservedProperties",
    "Observations",
    "FeaturesOfInterest",
)
SUITES = (
    Suite("ogcapi-features10", "1.9", "testng", "ogcapifeatures10", _features),
    Suite("ogcapi-tiles10", "1.2", "testng", "ogcapitiles10", _tiles),
    Suite("wmts10", "1.11", "ctl", "wmts10", _wmts),
    Suite("wms13", "1.34", "ctl", "wms13", _wms),
    Suite("sta10", "1.2", "testng", "sta10", _sensorthings),
    Suite("ogcapi-edr10", "1.3", "testng", "ogcapiedr10", _edr),
)
