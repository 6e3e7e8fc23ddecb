"""CSV and NDJSON become readings; what cannot be read keeps its sentence."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from geoservice.observations.wire import CSV, NDJSON, parse
from layers.errors import BadBody


def rows(body: str, media: str = CSV) -> list[dict[str, Any]]:
    return parse(body.encode(), media).to_pylist()


def test_csv_names_stations_times_and_results() -> None:
    read = rows("station,property,phenomenonTime,value,unit\nA,pm25,2026-05-01T08:00:00+08:00,3.5,ug/m3\n\nB,x,bad,,\n")
    assert read[0]["station"] == "A"
    assert read[0]["number"] == 3.5
    assert read[0]["phenomenon_time"] == dt.datetime(2026, 5, 1, 0, tzinfo=dt.UTC)
    assert "no time such as" in read[1]["flaw"]
    assert [r["position"] for r in read] == [0, 1]


def test_ndjson_keeps_text_objects_and_numbers_apart() -> None:
    body = "\n".join(
        json.dumps({"datastream": "d", "time": "2026-05-01T00:00:00Z", "result": result})
        for result in (1, "1.5", "dry", {"a": [1]}, True, None)
    )
    read = rows(body, NDJSON)
    assert [(r["number"], r["text"], r["json"]) for r in read] == [
        (1.0, None, None),
        (1.5, None, None),
        (None, "dry", None),
        (None, None, '{"a": [1]}'),
        (None, None, "true"),
        (None, None, None),
    ]


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("[1, 2]", "no reading"),
        ("{", "no reading"),
        ('{"datastream": "d", "time": "2026-05-01T00:00:00", "result": 1}', "no time zone"),
        ('{"datastream": "d", "time": 7, "result": 1}', "no time such as"),
        ('{"datastream": ["d"], "time": "2026-05-01T00:00:00Z", "result": 1}', "is text"),
        ('{"datastream": "d", "colour": 1}', "no field"),
        ('{"datastream": "d", "foi": 1e300, "result": 1}', "beyond all numbers"),
        ('{"datastream": "d", "parameters": "x"}', "JSON object"),
        ('{"datastream": "d", "result": "a\\u0000"}', "cannot be stored"),
        ('{"datastream": "d", "result": "\\ud800"}', "cannot be stored"),
        ('{"datastream": "d", "result": {"x": NaN}}', "NaN or an infinity"),
    ],
)
def test_what_cannot_be_read_says_why(line: str, says: str) -> None:
    (row,) = rows(line, NDJSON)
    assert says in row["flaw"]
    json.loads(row["raw"], parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))


@pytest.mark.parametrize(
    "body", ["", "a,b\n1,2\n", "station,time,result\n", "datastream,time,time,result\n", 'datastream,time,result\n"x']
)
def test_a_csv_without_a_good_header_or_form_is_refused(body: str) -> None:
    with pytest.raises(BadBody):
        rows(body)


def test_other_encodings_and_media_are_refused() -> None:
    with pytest.raises(BadBody, match="UTF-8"):
        parse("datastream,time,result\n北京,,".encode("gb18030"), CSV)
    with pytest.raises(BadBody, match="read from"):
        parse(b"", "application/json")


@given(st.text(), st.sampled_from([CSV, NDJSON]))
def test_no_text_breaks_the_reader(text: str, media: str) -> None:
    body = text if media == NDJSON else f"datastream,time,result\n{text}"
    try:
        read = parse(body.encode("utf-8", "surrogatepass"), media)
    except BadBody:
        return
    assert read["position"].to_pylist() == list(range(read.num_rows))
