"""Chinese addresses: from a line of text to its parts, and back. Pure; knows grammar, no places.

The order is that of standards: province, city, county, township, village (group), road (lane), door number (and its
branch), compound, building, unit, floor, room. Each part may be left out. Full-width characters, spaces and commas make
no difference, and numbers in Chinese numerals are the same as in Arabic ones.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, fields, replace

LONGEST_ADDRESS = 200
"""Characters of an address that are read."""
_PROVINCES = (
    "北京", "天津", "河北", "山西", "内蒙古", "辽宁", "吉林", "黑龙江", "上海", "江苏", "浙江", "安徽", "福建", "江西",
    "山东", "河南", "湖北", "湖南", "广东", "广西", "海南", "重庆", "四川", "贵州", "云南", "西藏", "陕西", "甘肃",
    "青海", "宁夏", "新疆", "台湾", "香港", "澳门",
)  # fmt: skip
_MUNICIPAL = ("北京", "天津", "上海", "重庆")
_ROAD = "大街|大道|公路|国道|省道|县道|环路|路|胡同|巷|街"
_NOT_A_ROAD = rf"(?![东西南北中内外]*(?:{_ROAD}|小区|小学|中学|医院))"
_HAN = "\\u3400-\\u9fff"
_PARTS: tuple[tuple[str, str], ...] = (
    ("province", rf"(?P<province>(?:{'|'.join(_MUNICIPAL)})市|[{_HAN}]{{2,5}}?省|[{_HAN}]{{2,6}}?(?<!族)自治区|"
     rf"(?:广西壮族|宁夏回族)自治区|(?:香港|澳门)特别行政区|(?:{'|'.join(_PROVINCES)})(?=[{_HAN}]{{2,8}}?[省市州盟县区]))"),
    ("city", rf"(?:市辖区|(?P<city>[{_HAN}]{{2,12}}?(?:自治州|地区|盟|市(?![场区政]))))"),
    ("county", rf"(?:市辖区|(?P<county>[{_HAN}]{{1,14}}?(?:自治县|自治旗|林区|新区|矿区|"
     rf"(?<![小社园厂校库片农])区|县|旗|(?<=[{_HAN}])市)(?![区县市政])))(?!{_ROAD})"),
    ("township", rf"(?P<township>[{_HAN}]{{1,12}}?(?:街道办事处|街道|民族乡|苏木|镇|乡))(?!{_ROAD})"),
    ("village", rf"(?P<village>[{_HAN}]{{1,12}}?"
     r"(?:社区居委会|村委会|居委会|嘎查|社区|(?<![新一二三四五六七八九])村|屯))"
     rf"(?![{_HAN}]?(?:大厦|花园)){_NOT_A_ROAD}"),
    ("group", r"(?P<group>\d+)(?:村民小组|组|社)(?![区])"),
    ("road", rf"(?P<road>[{_HAN}A-Z0-9]{{1,14}}?(?:大街|大道|公路|国道|省道|县道|环路|路|胡同|巷|街(?![道心坊])|"
     rf"(?:里|道|条|线)(?=\d|甲\d|附))(?:[东西南北中](?:段|路|街)?(?=\d|$|附)|[一二三四五六七八九十]段|\d+段)?)"
     rf"(?!{_ROAD}|口|桥)"),
    ("lane", r"(?P<lane>\d+)弄"),
    ("number", r"(?P<number>[甲乙丙丁]?\d+(?:[-之]\d+)?[A-Z]?)号(?!楼|栋|院|馆|线|门|房)(?:附(?P<branch>\d+)号)?"),
    ("branch", r"附(?P<branch>\d+)号"),
    ("yard", r"(?P<yard>[甲乙丙丁]?\d+)号(?:大院|院)"),
    ("compound", rf"(?P<compound>[{_HAN}A-Z0-9·]{{1,18}}?"
     r"(?:小区|社区|家属院|宿舍|花园|花苑|家园|园区|工业园|科技园|产业园|公寓|"
     r"大厦|广场|新村|大院|山庄|别墅|中心|医院|大学|学院|学校|中学|小学|公司|工厂|市场|苑|城|府|湾|庭|园|厦|坊))"
     r"(?![区路街巷])"),
    ("building", r"(?P<building>[A-Z]\d*|\d+[A-Z]?|[甲乙丙丁])(?:号楼|栋|幢|座|#楼|#|号馆)"),
    ("unit", r"(?P<unit>\d+|[A-Z]|[甲乙丙丁])单元"),
    ("floor", r"(?P<floor>-?\d+|B\d+)(?:层|楼|F)"),
    ("room", r"(?P<room>[A-Z]?-?\d+[A-Z]?)(?:室|房|户|号房|号)?$"),
)  # fmt: skip
_COMPILED = tuple((name, re.compile(text)) for name, text in _PARTS)
_DASHED = re.compile(r"(?P<building>[A-Z]?\d+[A-Z]?)-(?P<unit>\d+)-(?P<room>\d+[A-Z]?)$")
_DIGITS = {c: n for n, c in enumerate("零一二三四五六七八九")} | {"〇": 0, "两": 2}
_SCALES = {"十": 10, "百": 100, "千": 1000}
_NUMERAL = re.compile(r"[零〇一二两三四五六七八九十百千]+(?=号|弄|栋|幢|单元|层|室|组|村民小组|#|楼(?:\d|$))")
_SPLIT = re.compile(r"[\s,，、;；。.．]+")
_BRACKETS = re.compile(r"[（(\[【][^）)\]】]*[）)\]】]")


@dataclass(frozen=True, slots=True)
class Address:
    """The parts of an address; what is not there is None. Numbers are written in Arabic numerals, without their unit.

    Attributes:
        province, city, county, township, village: Divisions as they are written.
        group: Number of the villagers' group.
        road: Street, road or alley, with its section.
        lane: Number of a lane.
        number: Number at the door.
        branch: Branch of that number (`附3号`).
        yard: Number of a yard (`5号院`).
        compound: Housing estate, campus, tower or other named premises.
        building: Number or letter of the building.
        unit: Entrance of the building.
        floor: Floor.
        room: Room or flat.
        rest: What could not be read.
    """

    province: str | None = None
    city: str | None = None
    county: str | None = None
    township: str | None = None
    village: str | None = None
    group: str | None = None
    road: str | None = None
    lane: str | None = None
    number: str | None = None
    branch: str | None = None
    yard: str | None = None
    compound: str | None = None
    building: str | None = None
    unit: str | None = None
    floor: str | None = None
    room: str | None = None
    rest: str | None = None

    def parts(self) -> dict[str, str]:
        """The parts that are there, in their order."""
        found = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: value for name, value in found.items() if value is not None}

    @property
    def divisions(self) -> tuple[str, ...]:
        """Names of the divisions, the highest first."""
        return tuple(n for n in (self.province, self.city, self.county, self.township, self.village) if n is not None)


def tidy(text: str) -> str:
    """A line of address without spaces, commas, brackets and full-width characters; upper case, numbers in digits."""
    plain = unicodedata.normalize("NFKC", text)[:LONGEST_ADDRESS].upper()
    plain = _SPLIT.sub("", _BRACKETS.sub("", plain)).replace("—", "-").replace("－", "-").replace("–", "-")
    return _NUMERAL.sub(lambda found: str(numeral(found[0])), plain)


def numeral(text: str) -> int:
    """The value of a Chinese numeral below ten thousand; digits in a row (`二〇一`) are read one by one."""
    if not any(c in _SCALES for c in text):
        return int("".join(str(_DIGITS[c]) for c in text))
    total, digit = 0, 0
    for char in text:
        if char in _SCALES:
            total, digit = total + max(digit, 1) * _SCALES[char], 0
        else:
            digit = _DIGITS[char]
    return total + digit


def parse(text: str) -> Address:
    """Read an address; a text that is none ends up in `rest`."""
    left = tidy(text)
    found: dict[str, str] = {}
    for name, pattern in _COMPILED:
        if name == "building" and (dashed := _DASHED.match(left)):
            found |= dashed.groupdict()
            left = left[dashed.end() :]
        match = pattern.match(left) if name not in found else None
        if match is not None and not _misread(name, match, left):
            found |= {key: value for key, value in match.groupdict().items() if value is not None}
            left = left[match.end() :]
    return replace(Address(**found), rest=left or None)


def write(address: Address) -> str:
    """The line of an address in its canonical form."""
    suffixes = {
        "group": "组", "lane": "弄", "number": "号", "yard": "号院", "unit": "单元", "floor": "层", "room": "室",
    }  # fmt: skip
    line = []
    for name, value in address.parts().items():
        if name == "branch":
            line.append(f"附{value}号")
        elif name == "building":
            line.append(f"{value}{'号楼' if value[0].isdigit() else '座'}")
        else:
            line.append(f"{value}{suffixes.get(name, '')}")
    return "".join(line)


def doorplate(address: Address) -> str | None:
    """Road, lane, number and branch: what a doorplate says; None without a road and a number."""
    if address.road is None or not (address.number or address.lane or address.yard):
        return None
    return write(
        Address(road=address.road, lane=address.lane, number=address.number, branch=address.branch, yard=address.yard)
    )


def _misread(name: str, match: re.Match[str], left: str) -> bool:
    """A place name that only looks like a division, because what would follow belongs to it."""
    if name not in ("city", "county"):
        return False
    rest = left[match.end() :]
    return rest.startswith(("路", "街", "大道", "大街", "巷"))
