"""Answers of the gazetteer have the shape that the description of the API announces."""

from __future__ import annotations

import pytest
from jsonschema import Draft202012Validator

from geoservice.api.description import ALL_ANSWERS
from tests.support.atlas import SOUTH, WEST, Atlas

ASKED = [
    ("/gazetteer/divisions", ""),
    ("/gazetteer/divisions/at", f"?lon={WEST + 0.1}&lat={SOUTH + 0.1}"),
    ("/gazetteer/divisions/990101", ""),
    ("/gazetteer/divisions/990101201", ""),
    ("/gazetteer/divisions/990101/children", ""),
    ("/gazetteer/divisions/990101001/chain", ""),
    ("/gazetteer/convert", "?code=990101201&from=1999&to=2020"),
    ("/gazetteer/names", "?q=清源"),
    ("/gazetteer/geocode", "?q=清源县幸福路3号"),
]


@pytest.mark.parametrize(("path", "query"), ASKED)
def test_shape(atlas: Atlas, path: str, query: str) -> None:
    document = atlas.service.client.get("/api?f=3.1").json()
    template = path
    for code, name in (("990101201", "division_code"), ("990101001", "division_code"), ("990101", "division_code")):
        template = template.replace(code, f"{{{name}}}")
    assert ("get", template) in ALL_ANSWERS
    answer = atlas.service.client.get(path + query)
    assert answer.status_code == 200, answer.text
    (schema,) = (
        media["schema"]
        for name, media in document["paths"][template]["get"]["responses"]["200"]["content"].items()
        if name == "application/json"
    )
    whole = {**schema, "components": {"schemas": document["components"]["schemas"]}}
    Draft202012Validator(whole).validate(answer.json())
    listed = next((v for v in answer.json().values() if isinstance(v, list) and v), None)
    assert listed, "an empty answer proves nothing"
