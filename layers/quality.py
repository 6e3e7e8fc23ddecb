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
        "address": ("按地址定位", "Placed by address"),
        "antimeridian": ("跨越180度经线", "Crosses the antimeridian"),
        "area-attribute": ("面积字段与椭球面积不符", "Area attribute differs from the ellipsoidal area"),
        "assembled": ("由点连成线", "Lines assembled from points"),
        "axes-swapped": ("坐标轴顺序颠倒", "Axes in the other order"),
        "ballpark": ("坐标转换不可靠", "Transformation without a safe path"),
        "cap-area": ("预警区域无几何", "Alert area without a geometry"),
        "class-not-listed": ("类别不在代码表中", "Class is not in the code list"),
        "closed-lines": ("闭合线作为面", "Closed lines taken as surfaces"),
        "coverage-gap": ("覆盖有空隙", "Gap in the coverage"),
        "coverage-overlap": ("面与面重叠", "Surfaces overlap"),
        "crs": ("坐标系判定", "Decision on the reference system"),
        "curves": ("弧线已化为折线", "Curves drawn as chords"),
        "cut-text": ("文本被截断", "Text cut off"),
        "dangle": ("悬挂线", "Dangling line"),
        "declared-area": ("登记面积不符", "Declared area differs"),
        "domain": ("值不在值域内", "Value outside its domain"),
        "drawing-unit": ("图形单位", "Unit of the drawing"),
        "duplicate-geometry": ("几何重复", "Geometry occurs twice"),
        "duplicate-key": ("主键重复", "Key occurs twice"),
        "empty-geometry": ("空几何", "Empty geometry"),
        "encoding": ("字符编码判定", "Decision on the text encoding"),
        "encoding-declared": ("声明的编码不符", "Declared encoding does not fit"),
        "error-cell": ("单元格有错误值", "Error cells"),
        "field-case": ("字段名大小写不同", "Field name in other case"),
        "flattened": ("高程被略去", "Heights were left out"),
        "formula": ("公式没有结果", "Formula without a value"),
        "further-images": ("文件中另有影像", "Further images in the file"),
        "geometry-size": ("顶点过多", "Too many vertices"),
        "geometry-type": ("几何类型不符", "Wrong type of geometry"),
        "geoparquet-version": ("GeoParquet 版本", "GeoParquet version"),
        "incomplete-way": ("线路节点缺失", "Way with missing nodes"),
        "longitude": ("经度换算", "Longitudes brought into range"),
        "longitudes-turned": ("经度绕行一周", "Longitudes turned by a full circle"),
        "minimum-size": ("面积小于下限", "Smaller than the minimum size"),
        "missing-index": ("缺少索引文件", "Index file is missing"),
        "missing-table": ("缺少属性表", "Attribute table is missing"),
        "mixed-zones": ("坐标分属多个带", "Coordinates of several zones"),
        "nests": ("未嵌套在上级内", "Does not nest in its parent"),
        "no-attributes": ("对象没有属性", "Objects without attributes"),
        "offset": ("加密偏移已去除", "Offset taken off"),
        "overshoot": ("线过头", "Line overshoots"),
        "palette-ignored": ("忽略调色板", "Palette ignored"),
        "pattern": ("格式不符", "Does not match its pattern"),
        "previews": ("预览影像", "Preview images"),
        "range": ("数值超出范围", "Number outside its range"),
        "raster-refused": ("栅格被拒绝", "Raster refused"),
        "reader-warning": ("读取程序的警告", "Warning of the reader"),
        "referential": ("引用不存在", "Reference to something that does not exist"),
        "remote-changed": ("远程数据读取中有变化", "Remote source changed while it was read"),
        "remote-count": ("远程数据数量不符", "Remote source sent another number of rows"),
        "remote-repeated": ("远程数据有重复", "Remote source repeats rows"),
        "repaired": ("几何已修复", "Geometry repaired"),
        "repaired-area": ("修复改变了面积", "Repair changed the area"),
        "repeats": ("来源中重复的行", "Rows repeated in the source"),
        "required": ("必填值缺失", "Required value is missing"),
        "resampled": ("已重采样", "Resampled"),
        "same-source": ("来源相同", "The same source as before"),
        "sliver": ("碎多边形", "Sliver"),
        "spherical-edges": ("球面边", "Spherical edges"),
        "time-zone": ("时区假定", "Time zone assumed"),
        "tolerated": ("不可读的值留空", "Unreadable values left empty"),
        "transformation": ("坐标转换", "Transformation of coordinates"),
        "truncated-name": ("字段名被截断", "Field name cut off"),
        "type": ("值类型不符", "Value of a wrong type"),
        "unconnected": ("网络未连通", "Network end without a connection"),
        "undershoot": ("线未及", "Line undershoots"),
        "unit": ("单位", "Unit"),
        "unreadable": ("行无法读取", "Row cannot be read"),
        "valid-geometry": ("几何无效", "Invalid geometry"),
        "value-range": ("像元值超出范围", "Cell values outside their range"),
        "vertical-datum": ("高程基准", "Vertical datum"),
        "withdrawal": ("撤回", "Withdrawal"),
        "within": ("不在所属区域内", "Not within its container"),
    }
)
"""Names by rule of a finding."""


def rule_name(rule: str) -> Text:
    """What to call a rule; one that has no name of its own is called by its id, with spaces."""
    plain = rule.replace("-", " ")
    return RULES.get(rule) or Text(zh=plain, en=plain.capitalize())
