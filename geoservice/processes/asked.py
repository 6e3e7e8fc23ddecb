"""All questions as processes, with the resource that answers each."""

from __future__ import annotations

from geoservice.processes import inputs
from geoservice.processes.questions import Inputs, Question, Resource, question
from layers.model import Text

_OBJECT = {"type": "object"}
_FEATURE = {"type": "object", "properties": {"type": {"type": "string"}}, "required": ["type"]}
_PLACE = frozenset(inputs.Place.model_fields)
_ZONE = frozenset(inputs.Zone.model_fields)
_THEN = {"as_of": "as-of"}
_SEEN = {"with_geometry": "geometry", **_THEN}
_NARROWED = {"filter_lang": "filter-lang", **_THEN}


def _get(path: str, **renamed: str) -> Resource:
    return Resource("GET", path, renamed=renamed)


def _posted(path: str, kind: type[Inputs]) -> Resource:
    return Resource("POST", path, frozenset(kind.model_fields))


QUESTIONS: tuple[Question, ...] = (
    question(
        "identify",
        Text(zh="点查", en="Identify"),
        Text(
            zh="某处所有可见图层的要素及栅格值。",
            en="Features of all visible layers at a place, and the values of rasters there.",
        ),
        inputs.Identify,
        Resource("POST", "/query/identify", _PLACE, _SEEN),
        _OBJECT,
    ),
    question(
        "intersects",
        Text(zh="相交", en="Intersects"),
        Text(zh="与某处相接的要素。", en="Features that share a point with a place, its border included."),
        inputs.Related,
        Resource("POST", "/query/intersects", _PLACE, _SEEN),
        _OBJECT,
    ),
    question(
        "within",
        Text(zh="包含于", en="Within"),
        Text(zh="完全在某处之内的要素。", en="Features of which no point lies outside a place."),
        inputs.Related,
        Resource("POST", "/query/within", _PLACE, _SEEN),
        _OBJECT,
    ),
    question(
        "buffer",
        Text(zh="缓冲区", en="Buffer"),
        Text(zh="某处周围一定距离内的范围。", en="Everything within a distance of a place, as a GeoJSON feature."),
        inputs.Buffer,
        Resource("POST", "/query/buffer", _PLACE),
        _FEATURE,
    ),
    question(
        "join",
        Text(zh="所在面", en="Join"),
        Text(zh="包含某点的面及其属性。", en="Key and attributes of the polygon that holds a point."),
        inputs.Narrowed,
        _get("/query/join", **_NARROWED),
        _OBJECT,
    ),
    question(
        "nearest",
        Text(zh="最近要素", en="Nearest"),
        Text(
            zh="离某点最近的要素及椭球面距离。", en="The nearest features to a point, with their distances in metres."
        ),
        inputs.Nearest,
        _get("/query/nearest", **_NARROWED),
        _OBJECT,
    ),
    question(
        "values",
        Text(zh="栅格值", en="Raster values"),
        Text(zh="某点的栅格值。", en="The values of each band of a raster at a point."),
        inputs.Values,
        _get("/query/values", **_THEN),
        _OBJECT,
    ),
    question(
        "profile",
        Text(zh="剖面", en="Profile"),
        Text(zh="沿线或各点的栅格值。", en="The values of a raster along a line, or at points."),
        inputs.Profile,
        Resource("POST", "/query/values", frozenset({"geometry"}), _THEN),
        _OBJECT,
    ),
    question(
        "zone",
        Text(zh="区域分析", en="Zone analysis"),
        Text(zh="区域内的人口、土地、道路与设施。", en="What lies in a zone: people, land, roads, facilities."),
        inputs.ZoneThen,
        Resource("POST", "/analysis/zone", _ZONE, _THEN),
        _OBJECT,
    ),
    question(
        "impact",
        Text(zh="影响评估", en="Impact"),
        Text(
            zh="灾害范围影响的人口、土地、道路与设施，按等级和区划统计。",
            en="What a zone of danger hits, by severity class and division: people, land, roads, facilities, needs.",
        ),
        inputs.Impact,
        _posted("/impact", inputs.Impact),
        _OBJECT,
    ),
    question(
        "impact-compare",
        Text(zh="影响对比", en="Comparison of impacts"),
        Text(zh="两个范围或两个时间的影响之差。", en="What differs between the impacts of two zones, or at two times."),
        inputs.ImpactPair,
        _posted("/impact/compare", inputs.ImpactPair),
        _OBJECT,
    ),
    question(
        "compliance",
        Text(zh="用地合规", en="Compliance"),
        Text(
            zh="红线占用的地类、权属、控制线、规划与审批情况及逐条结论。",
            en="What a red line overlaps: land classes, ownership, control lines, plans, approvals; a verdict by rule.",
        ),
        inputs.Compliance,
        _posted("/compliance", inputs.Compliance),
        _OBJECT,
    ),
    question(
        "report",
        Text(zh="签名报告", en="Signed report"),
        Text(
            zh="将影响评估或用地合规的答案制成并保存为签名报告。",
            en="Makes and keeps a signed report of an impact or a compliance answer.",
        ),
        inputs.Report,
        _posted("/reports", inputs.Report),
        _OBJECT,
    ),
    question(
        "route",
        Text(zh="路径规划", en="Route"),
        Text(zh="依次经过各点、避开封闭区域的最佳路径。", en="The best way by some places, around closed zones."),
        inputs.Route,
        _posted("/routing/routes", inputs.Route),
        _FEATURE,
    ),
    question(
        "facilities",
        Text(zh="最近设施", en="Nearest facilities"),
        Text(
            zh="按行程费用最近的设施及路径。",
            en="The facilities that are nearest by the cost of the way, with the ways.",
        ),
        inputs.Facilities,
        _posted("/routing/nearest", inputs.Facilities),
        _FEATURE,
    ),
    question(
        "isochrones",
        Text(zh="等时圈", en="Isochrones"),
        Text(zh="一定时间或距离内可达的范围。", en="Areas or roads that are reached within a time or distance."),
        inputs.Isochrones,
        _posted("/routing/isochrones", inputs.Isochrones),
        _FEATURE,
    ),
    question(
        "matrix",
        Text(zh="行程矩阵", en="Matrix of ways"),
        Text(zh="各起点到各终点的时间或距离。", en="Durations or distances from each source to each target."),
        inputs.Matrix,
        _posted("/routing/matrix", inputs.Matrix),
        _OBJECT,
    ),
    question(
        "names",
        Text(zh="地名检索", en="Place names"),
        Text(zh="按汉字、拼音、首字母或英文检索地名。", en="Names of places in Chinese, pinyin, initials or English."),
        inputs.Names,
        _get("/gazetteer/names", classes="class", **_THEN),
        _OBJECT,
    ),
    question(
        "geocode",
        Text(zh="地址定位", en="Geocode"),
        Text(
            zh="地址对应的位置，附匹配级别与置信度。", en="Places that an address may mean, with level and confidence."
        ),
        inputs.Address,
        _get("/gazetteer/geocode"),
        _OBJECT,
    ),
    question(
        "reverse-geocode",
        Text(zh="逆地址", en="Reverse geocode"),
        Text(zh="某点的地址：区划链与最近的门牌。", en="The address of a point: its divisions and the nearest door."),
        inputs.AtPoint,
        _get("/gazetteer/reverse"),
        _OBJECT,
    ),
    question(
        "postcodes",
        Text(zh="邮政编码", en="Postcodes"),
        Text(zh="区划内或某点的邮政编码。", en="The postcodes in a division, or the one at a point."),
        inputs.Postcodes,
        _get("/gazetteer/postcodes"),
        _OBJECT,
    ),
    question(
        "divisions-at",
        Text(zh="所在区划", en="Divisions at a point"),
        Text(zh="某点所在的各级行政区划。", en="The chain of divisions that a point lies in."),
        inputs.DivisionsAt,
        _get("/gazetteer/divisions/at", **_THEN),
        _OBJECT,
    ),
    question(
        "convert-code",
        Text(zh="区划代码换算", en="Conversion of codes"),
        Text(zh="某日期的区划代码对应另一日期的代码。", en="The divisions of another date that a code corresponds to."),
        inputs.Conversion,
        _get("/gazetteer/convert", start="from", end="to"),
        _OBJECT,
    ),
    question(
        "sheets",
        Text(zh="图幅检索", en="Map sheets"),
        Text(zh="某点或范围的图幅（GB/T 13989）。", en="Map sheets (GB/T 13989) of a point or a box."),
        inputs.Sheets,
        _get("/gazetteer/sheets"),
        _OBJECT,
    ),
    question(
        "sheet",
        Text(zh="图幅", en="Map sheet"),
        Text(zh="图幅的范围、邻幅与上级图幅。", en="What a map sheet covers, its neighbours and the sheets around it."),
        inputs.SheetNumber,
        _get("/gazetteer/sheets/{sheet_number}"),
        _OBJECT,
    ),
    question(
        "coordinates",
        Text(zh="坐标换写", en="Notations of coordinates"),
        Text(zh="坐标文本的各种可能含义与写法。", en="What a text may mean as a point, in all notations."),
        inputs.Notation,
        _get("/gazetteer/coordinates"),
        _OBJECT,
    ),
)
"""In the order of the list of processes."""
