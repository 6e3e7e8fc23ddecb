"""The version of the interface in every answer, and what answers of a block on its way out say of it."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from email.utils import parsedate_to_datetime

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from geoservice.api import health
from geoservice.http.versions import Versions
from geoservice.ogc.block import Block, Deprecation

SINCE = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
SUNSET = dt.datetime(2027, 6, 30, 12, tzinfo=dt.timezone(dt.timedelta(hours=8)))


def asked(block: Block, path: str) -> dict[str, str]:
    """Header fields of an answer of an application that is made of one block."""
    app = FastAPI()
    app.include_router(block.router)
    app.add_middleware(Versions, blocks=(block,))
    return dict(TestClient(app, raise_server_exceptions=False).get(path).headers)


@pytest.mark.parametrize("path", ["/health/live", "/nothing"])
def test_every_answer_names_the_version_and_nothing_is_on_its_way_out(path: str) -> None:
    headers = asked(health.BLOCK, path)
    assert headers["api-version"] == "1"
    assert not {"deprecation", "sunset", "link"} & set(headers)


def test_a_block_on_its_way_out_says_since_when_and_until_when() -> None:
    old = replace(health.BLOCK, deprecated=Deprecation(SINCE, SUNSET, "https://geo.example.cn/guide"))
    headers = asked(old, "/health/live")
    # RFC 9745: a date of structured fields, in seconds. RFC 8594: an HTTP date.
    assert headers["deprecation"] == "@1767225600"
    assert parsedate_to_datetime(headers["sunset"]) == SUNSET
    assert headers["sunset"] == "Wed, 30 Jun 2027 04:00:00 GMT"
    assert headers["link"] == '<https://geo.example.cn/guide>; rel="deprecation"; type="text/html"'
    assert "deprecation" not in asked(old, "/nothing")
