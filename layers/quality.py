"""Names of data quality measures (ISO 19157) and of the rules that count them, for people.

The numbers are those of the measures in annex D of ISO 19157:2013; the names are ours, in plain words.
"""

from __future__ import annotations

from collections.abc import Mapping

from layers.model import Text


def _named(pairs: Mapping[str, tuple[str, str]]) -> dict[str, Text]:
    return {key: Text(zh=zh, en=en) for key, (zh, en) in pairs.items()}


MEASURES: Mapping[int, Text] = {
    3: Text(zh="多余率", en="rate of excess items"),
    4: Text(zh="重复要素数", en="number of duplicate feature instances"),
    7: Text(zh="缺失率", en="rate of missing items"),
    11: Text(zh="面无效重叠数", en="number of invalid overlaps of surfaces"),
    16: Text(zh="值域不一致数", en="number of items not in conformance with their value domain"),
    17: Text(zh="值域一致数", en="number of items in conformance with their value domain"),
    18: Text(zh="值域一致率", en="value domain conformance rate"),
    19: Text(zh="物理结构冲突数", en="physical structure conflicts"),
    21: Text(zh="点线连接错误数", en="number of faulty point-curve connections"),
    23: Text(zh="未及悬挂数", en="number of missing connections due to undershoots"),
    24: Text(zh="过头悬挂数", en="number of missing connections due to overshoots"),
    25: Text(zh="碎多边形数", en="number of invalid slivers"),
    26: Text(zh="自相交数", en="number of invalid self-intersect errors"),
    27: Text(zh="自重叠数", en="number of invalid self-overlap errors"),
    65: Text(zh="属性值错误数", en="number of incorrect attribute values"),
}
"""Names by measure number."""

ELEMENTS: Mapping[str, Text] = _named(
    {
        "completeness commission": ("完整性（多余）", "completeness: commission"),
        "completeness omission": ("完整性（遗漏）", "completeness: omission"),
        "conceptual consistency": ("概念一致性", "conceptual consistency"),
        "domain consistency": ("值域一致性", "domain consistency"),
        "format consistency": ("格式一致性", "format consistency"),
        "topological consistency": ("拓扑一致性", "topological consistency"),
        "quantitative attribute correctness": ("定量属性正确性", "quantitative attribute correctness"),
        "temporal validity": ("时间有效性", "temporal validity"),
    }
)
"""Names by quality element."""

RULES: Mapping[str, Text] = _named(
    {
        "absent-field": ("来源缺少字段", "The source lacks a field"),
        "area-attribute": ("面积字段与椭球面积不符", "Area attribute differs from the ellipsoidal area"),
        "assembled": ("由点连成线", "Lines assembled from points"),
        "ballpark": ("坐标转换不可靠", "Transformation without a safe path"),
        "cap-area": ("预警区域无几何", "Alert area without a geometry"),
        "class-not-listed": ("类别不在代码表中", "Class is not in the code list"),
        "coverage-gap": ("覆盖有空隙", "Gap in the coverage"),
        "coverage-overlap": ("面与面重叠", "Surfaces overlap"),
        "crs": ("坐标系判定", "Decision on the reference system"),
        "domain": ("值不在值域内", "Value outside its domain"),
        "duplicate-geometry": ("几何重复", "Geometry occurs twice"),
        "duplicate-key": ("主键重复", "Key occurs twice"),
        "empty-geometry": ("空几何", "Empty geometry"),
        "encoding": ("字符编码判定", "Decision on the text encoding"),
        "flattened": ("高程被略去", "Heights were left out"),
        "further-images": ("文件中另有影像", "Further images in the file"),
        "geometry-type": ("几何类型不符", "Wrong type of geometry"),
        "incomplete-way": ("线路节点缺失", "Way with missing nodes"),
        "longitude": ("经度换算", "Longitudes brought into range"),
        "minimum-size": ("面积小于下限", "Smaller than the minimum size"),
        "nests": ("未嵌套在上级内", "Does not nest in its parent"),
        "overshoot": ("线过头", "Line overshoots"),
        "palette-ignored": ("忽略调色板", "Palette ignored"),
        "pattern": ("格式不符", "Does not match its pattern"),
        "range": ("数值超出范围", "Number outside its range"),
        "reader-warning": ("读取程序的警告", "Warning of the reader"),
        "referential": ("引用不存在", "Reference to something that does not exist"),
        "repaired": ("几何已修复", "Geometry repaired"),
        "repaired-area": ("修复改变了面积", "Repair changed the area"),
        "repeats": ("来源中重复的行", "Rows repeated in the source"),
        "required": ("必填值缺失", "Required value is missing"),
        "sliver": ("碎多边形", "Sliver"),
        "time-zone": ("时区假定", "Time zone assumed"),
        "tolerated": ("不可读的值留空", "Unreadable values left empty"),
        "type": ("值类型不符", "Value of a wrong type"),
        "unconnected": ("网络未连通", "Network end without a connection"),
        "undershoot": ("线未及", "Line undershoots"),
        "valid-geometry": ("几何无效", "Invalid geometry"),
        "value-range": ("像元值超出范围", "Cell values outside their range"),
        "within": ("不在所属区域内", "Not within its container"),
    }
)
"""Names by rule of a finding."""


def rule_name(rule: str) -> Text:
    """What to call a rule; one that has no name of its own is called by its id, with spaces."""
    plain = rule.replace("-", " ")
    return RULES.get(rule) or Text(zh=plain, en=plain.capitalize())
