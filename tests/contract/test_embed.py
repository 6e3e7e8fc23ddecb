"""The small map for other pages: what it holds, which pages may show it, and what is refused."""

from __future__ import annotations

import json
import re
from typing import Any
from urllib.parse import urlencode

import pytest
from pydantic import ValidationError

from geoservice.settings import Settings
from layers.access import Clearance
from tests.support.service import Service, running


def told(response: Any) -> dict[str, Any]:
    assert response.status_code == 200, response.text
    found = re.search(r'id="portal-config">(.*?)</script>', response.text, re.DOTALL)
    assert found is not None
    config: dict[str, Any] = json.loads(found[1])
    return config


def ancestors(response: Any) -> str:
    found = re.search(r"frame-ancestors ([^;]+)", response.headers["content-security-policy"])
    assert found is not None
    return found[1].strip()


def ask(service: Service, clearance: Clearance | None = None, **asked: Any) -> Any:
    return service.get("/embed?" + urlencode(asked, doseq=True), clearance)


def test_it_holds_what_was_asked_for_and_no_more(service: Service) -> None:
    config = told(ask(service, layers="spot", map="12/38.1/105.1", filter="spot:amount > 3", theme="dark", lang="en"))
    assert [one["id"] for one in config["layers"]] == ["spot"]
    assert config["embed"] == {
        "place": [12, 38.1, 105.1],
        "filters": {"spot": "amount > 3"},
        "asOf": None,
        "missing": 0,
    }
    assert config["language"] == "en"
    assert config["loads"] == []


def test_tiles_are_asked_for_the_rows_that_were_asked_for(service: Service) -> None:
    def style(**asked: Any) -> dict[str, Any]:
        found = re.search(r'id="map-style">(.*?)</script>', ask(service, layers="spot", **asked).text, re.DOTALL)
        assert found is not None
        made: dict[str, Any] = json.loads(found[1])
        return made

    plain, filtered = style(), style(filter="spot:amount > 3", **{"as-of": "2020-01-01T00:00:00Z"})
    assert "?" not in plain["sources"]["spot"]["tiles"][0]
    (tiles,) = filtered["sources"]["spot"]["tiles"]
    assert tiles.endswith("?filter=amount+%3E+3&as-of=2020-01-01T00%3A00%3A00Z")
    level = service.catalog.layer("spot").exact_from  # type: ignore[union-attr]
    assert all(part["minzoom"] >= level for part in filtered["layers"] if part.get("source") == "spot")
    assert {part["layout"]["visibility"] for part in plain["layers"] if part.get("source") == "spot"} == {"visible"}


def test_layers_above_look_like_layers_that_are_not(service: Service) -> None:
    public = ask(service, layers="spot,area,nothing", filter="area:name = 'x'")
    assert told(public)["embed"]["missing"] == 2
    assert told(public)["embed"]["filters"] == {}
    assert "area" not in {one["id"] for one in told(public)["layers"]}
    insider = told(ask(service, Clearance.INTERNAL, layers="spot,area,nothing"))
    assert insider["embed"]["missing"] == 1


def test_only_named_pages_may_show_it(service: Service) -> None:
    assert ancestors(ask(service, layers="spot")) == "'self'"
    named = "'self' https://www.example.org"
    with running(service.database, service.catalog, embed_ancestors=named) as open_service:
        assert ancestors(open_service.get("/embed?layers=spot")) == named
        # The portal, and everything else, stays as it was.
        assert ancestors(open_service.get("/portal")) == "'self'"
        assert ancestors(open_service.get("/collections")) == "'none'"
        assert open_service.get("/embed").headers["cross-origin-opener-policy"] == "unsafe-none"


@pytest.mark.parametrize("value", ["*", "'none'", "https://a.example:8443 http://*.b.example", "'self'"])
def test_settings_that_name_origins(value: str) -> None:
    assert Settings(embed_ancestors=value).embed_ancestors == value


@pytest.mark.parametrize(
    "value", ["https://a.example; script-src *", "a.example", "javascript:x", "* 'self'", "https://a/b", " "]
)
def test_settings_that_could_write_another_policy_are_refused(value: str) -> None:
    with pytest.raises(ValidationError):
        Settings(embed_ancestors=value)


@pytest.mark.parametrize(
    "asked",
    [
        {"map": "12/38"},
        {"map": "99/38/105"},
        {"map": "nan/38/105"},
        {"filter": "spot"},
        {"filter": ["spot:amount > 1", "spot:amount > 2"]},
        {"filter": "spot:nothing = 1"},
        {"filter": "spot:amount >"},
        {"as-of": "yesterday"},
        {"as-of": "2999-01-01T00:00:00Z"},
        {"theme": "red"},
        {"layers": ",".join(f"l{n}" for n in range(41))},
        {"colour": "red"},
    ],
)
def test_what_is_wrong_is_refused(service: Service, asked: dict[str, Any]) -> None:
    response = ask(service, **asked)
    assert response.status_code == 400, response.text
    assert response.json()["detail"]


def test_hostile_words_do_not_leave_the_data(service: Service) -> None:
    hostile = "</script><script>alert(1)</script>"
    response = ask(service, layers="spot", filter=f"spot:name = '{hostile}'")
    assert told(response)["embed"]["filters"] == {"spot": f"name = '{hostile}'"}
    assert "<script>alert" not in response.text
