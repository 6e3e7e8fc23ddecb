"""What a search answers first: expectations written down from the data (`tests.support.named`), query by query."""

from __future__ import annotations

import pytest

from tests.support.service import Service

# Query, then what comes first: a name that the feature has in either language, in order where several are given.
CHINESE = [
    ("北京", ["北京", "北京市"]),
    ("北京市", ["北京市"]),
    ("北京大学", ["北京大学"]),
    ("北", ["北京", "北京市"]),
    ("朝阳", ["朝阳市"]),
    ("朝阳市", ["朝阳市"]),
    ("朝阳区", ["朝阳区"]),
    ("朝阳县", ["朝阳县"]),
    ("朝阳小学", ["朝阳小学"]),
    ("内蒙", ["内蒙古自治区"]),
    ("内蒙古", ["内蒙古自治区"]),
    ("广西", ["广西壮族自治区"]),
    ("新疆", ["新疆维吾尔自治区"]),
    ("延边", ["延边朝鲜族自治州"]),
    ("延边州", ["延边朝鲜族自治州"]),
    ("吉林", ["吉林省", "吉林市"]),
    ("吉林市", ["吉林市"]),
    ("华门", ["东华门街道"]),
    ("协和医院", ["北京协和医院"]),
    ("协和", ["北京协和医院"]),
    ("幸福", ["幸福路", "幸福大街"]),
    ("幸福大街", ["幸福大街"]),
    ("长安街", ["长安街"]),
    ("312国道", ["G312国道"]),
    ("Ｇ３１２", ["G312国道"]),
    ("浦东", ["浦东新区"]),
    ("东 莞", ["东莞市"]),
    ("李家庄", ["李家庄村", "李家庄村"]),
    ("家庄", ["石家庄"]),
    ("纽约", ["纽约"]),
    ("苏黎世", ["苏黎世"]),
    ("重庆", ["重庆市"]),
    ("重慶", ["重庆市"]),
    ("淅川", ["淅川县"]),
    ("析川", ["淅川县"]),
    ("无西", ["无锡市"]),
    ("成都", ["成都市"]),
]
LATIN = [
    ("beijing", ["Beijing", "Beijing"]),
    ("Bei", ["Beijing"]),
    ("bei jing", ["Beijing"]),
    ("BEIJINGSHI", ["北京市"]),
    ("chaoyang", ["Chaoyang"]),
    ("zhaoyang", ["朝阳市"]),
    ("chongqing", ["Chongqing"]),
    ("zhongqing", ["重庆市"]),
    ("xiamen", ["Xiamen"]),
    ("shamen", ["厦门市"]),
    ("lvliang", ["吕梁市"]),
    ("luliang", ["Lüliang"]),
    ("lüliang", ["Lüliang"]),
    ("liuan", ["六安市"]),
    ("luan", ["Lu'an"]),
    ("bangbu", ["蚌埠市"]),
    ("dapu", ["大埔县"]),
    ("dabu", ["Dabu"]),
    ("xian", ["Xi'an"]),
    ("xi'an", ["Xi'an"]),
    ("neimenggu", ["内蒙古自治区"]),
    ("huamen", ["东华门街道"]),
    ("suzhou", ["Suzhou"]),
    ("bj", ["北京市", "北京"]),
    ("cq", ["重庆市"]),
    ("nmg", ["内蒙古自治区"]),
    ("xjwwe", ["新疆维吾尔自治区"]),
    ("gz", ["广州市"]),
    ("ljz", ["李家庄村"]),
    ("bjdx", ["北京大学"]),
    ("london", ["London", "London"]),
    ("Lond", ["London"]),
    ("east lon", ["East London"]),
    ("new york", ["New York City"]),
    ("york", ["York", "New York City"]),
    ("sao paulo", ["São Paulo"]),
    ("SÃO", ["São Paulo"]),
    ("zurich", ["Zürich"]),
    ("pudong", ["Pudong"]),
    ("inner mongolia", ["Inner Mongolia"]),
    ("mongolia", ["Inner Mongolia"]),
    ("union medical", ["Peking Union Medical College Hospital"]),
    # Slips of the keyboard.
    ("chonqing", ["Chongqing"]),
    ("guangzou", ["Guangzhou"]),
    ("shangai", ["Shanghai"]),
    ("londn", ["London"]),
    ("shijiazhang", ["Shijiazhuang"]),
    ("pekin university", ["Peking University"]),
]


@pytest.mark.parametrize(("query", "expected"), [*CHINESE, *LATIN])
def test_what_comes_first(names: Service, query: str, expected: list[str]) -> None:
    found = names.client.get("/gazetteer/names", params={"q": query}).json()["results"]
    assert len(found) >= len(expected)
    for one, name in zip(found, expected, strict=False):
        assert name in one["names"].values(), [other["name"] for other in found]


@pytest.mark.parametrize(
    "query", ["qqqqqq", "…", "()", "%", "_", "\\", "亾", "x" * 100, "'; DROP TABLE meta.name_public; --"]
)
def test_nothing_is_found_for_nonsense(names: Service, query: str) -> None:
    answer = names.client.get("/gazetteer/names", params={"q": query})
    assert answer.status_code == 200
    assert answer.json()["results"] == []
