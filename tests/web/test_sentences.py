"""Sentences of the loader in Chinese."""

from __future__ import annotations

import json
import re
import time
from importlib import resources

import pytest

from web.sentences import in_language


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (
            "Attribute 'class_code' is '9999', which is not in the code list gb-t-21010@2017.",
            "属性 class_code 的值 '9999' 不在代码表 gb-t-21010@2017 中。",
        ),
        ("Attribute 'slope_class' is 9, outside the range 1 to 5.", "属性 slope_class 的值 9 超出范围 1 to 5。"),
        (
            "the key a|b stands already in row 17 of this source, with other content",
            "主键 a|b 在本来源第 17 行已出现，内容不同",
        ),
        (
            "Attribute 'a' is empty, but it is required. The geometry is missing, but the layer requires one.",
            "属性 a 为空，但它是必填项或主键。缺少几何，但图层要求有几何。",
        ),
        ("The line has only one point. Something else happened.", "线只有一个点。Something else happened."),
        (
            "For photo.shp no mapping fits in layer land/parcel; choose the mapping by its name. There are: a: a*.zip.",
            "图层 land/parcel 没有适合文件名 photo.shp 的映射，请按名称选择映射。可选：a: a*.zip。",
        ),
        (
            "The texts were read as gb18030, as the frequency of its characters suggests (confidence 0.99).",
            "文本按 gb18030 读取，依据是字符出现的频率（置信度 0.99）。",
        ),
        (
            "a.dbf is only a part of a Shapefile; load a.shp, with it beside.",
            "a.dbf 只是数据的一部分，请加载 a.shp，并把它放在一起。",
        ),
        ("Something else happened.", "Something else happened."),
        ("", ""),
    ],
)
def test_known_sentences_are_told_in_chinese(said: str, told: str) -> None:
    assert in_language(said, "zh") == told
    assert in_language(said, "en") == said


def test_braces_in_values_are_only_text() -> None:
    said = "Attribute 'a' is '{0.__class__}', which does not match {1}."
    assert in_language(said, "zh") == "属性 a 的值 '{0.__class__}' 不符合格式 {1}。"


def test_hostile_values_cost_no_time() -> None:
    started = time.monotonic()
    for word in ("Attribute 'a' is ", ", but the ellipsoidal area is ", "x, where "):
        in_language("Attribute 'a' is " + word * 30, "zh")
        in_language(word * 1_000_000, "zh")
    assert time.monotonic() - started < 1


def test_twins_name_only_what_their_pattern_holds() -> None:
    patterns = json.loads((resources.files("web") / "sentences.json").read_text(encoding="utf-8"))
    for written, twin in patterns.items():
        held = len(re.findall(r"\{[aqxrl]\}", written))
        assert all(int(place) < held for place in re.findall(r"\{(\d)\}", twin)), written
