"""The layers of the product: each file is bilingual, names one authority and its legal basis, and can be drawn."""

from __future__ import annotations

import csv
import re
from itertools import combinations, pairwise
from pathlib import Path

import pytest
import yaml

from layers.access import Clearance
from layers.catalog import Catalog, parse_layer, read_catalog
from layers.codelist import CodeList
from layers.errors import DefinitionError
from layers.model import RasterLayer, TabularLayer, Text, VectorLayer
from layers.reference import render
from layers.sources import SourceMapping
from layers.style import ByValue

ROOT = Path(__file__).resolve().parents[2]
CATALOG = read_catalog()
LAYERS = [pytest.param(layer, id=layer.id) for layer in CATALOG]
VECTORS = [pytest.param(layer, id=layer.id) for layer in CATALOG if isinstance(layer, VectorLayer)]
SAMPLED = [pytest.param(layer, id=layer.id) for layer in CATALOG if "sample" in layer.sources]
LISTS = [pytest.param(codes, id=codes.id) for codes in CATALOG.codelists.values()]
HAN = re.compile(r"[\u3400-\u9fff]")

# What a first installation must have, and who may see what is not public.
AGREED = {
    "admin/country", "admin/province", "admin/division", "places/populated_place", "hydrography/river",
    "hydrography/lake", "transport/road", "transport/railway", "transport/airport", "transport/port",
    "settlement/building", "land/landuse_patch", "land/control_line", "safety/hazard_source", "landcover/land_cover",
    "elevation/elevation", "imagery/imagery", "population/population", "geology/geological_unit",
    "geology/active_fault", "geology/plate", "hazard/earthquake", "energy/power_plant", "water/dam", "health/hospital",
    "education/school", "protected/protected_area", "environment/air_station", "environment/air_observation",
    "hazard/cap_alert", "hazard/flood_extent", "hazard/typhoon_track", "hazard/active_fire", "admin/division_change",
    "address/address", "address/postcode", "safety/shelter", "heritage/monument", "transport/bridge",
    "energy/power_line", "energy/pipeline", "land/planning_zone", "land/land_approval",
    "imagery/orthophoto",
}  # fmt: skip
NOT_PUBLIC = {
    "land/control_line": Clearance.INTERNAL,
    "safety/hazard_source": Clearance.RESTRICTED,
    "energy/power_line": Clearance.INTERNAL,
    "energy/pipeline": Clearance.INTERNAL,
}


def require_bilingual(text: Text | None, what: str) -> None:
    """A text that a Chinese and an English reader can read: Han characters in one, none in the other."""
    assert text is not None, what
    assert HAN.search(text.zh), f"{what}: {text.zh!r} is not Chinese"
    assert not HAN.search(text.en), f"{what}: {text.en!r} is not English"


def test_all_agreed_layers_are_there() -> None:
    assert {layer.id for layer in CATALOG} >= AGREED


def test_files_and_layers_are_the_same_set() -> None:
    files = {f"{p.parent.name}/{p.stem}" for p in (ROOT / "layers/themes").glob("*/*.yaml")}
    assert {layer.id for layer in CATALOG} == files


@pytest.mark.parametrize("layer", LAYERS)
def test_bilingual(layer: TabularLayer) -> None:
    require_bilingual(layer.title, "title")
    require_bilingual(layer.abstract, "abstract")
    require_bilingual(layer.authority.name, "authority")
    for name, attribute in layer.attributes.items():
        require_bilingual(attribute.title, name)
        if attribute.description is not None:
            require_bilingual(attribute.description, name)
    for band in layer.bands if isinstance(layer, RasterLayer) else ():
        require_bilingual(band.title, band.name)


@pytest.mark.parametrize("layer", LAYERS)
def test_one_authority_share_type_basis_and_cycle(layer: TabularLayer) -> None:
    text = (ROOT / f"layers/themes/{layer.id}.yaml").read_text(encoding="utf-8")
    assert len(re.findall(r"^authority:", text, re.MULTILINE)) == 1
    assert layer.licence.share in {"unconditional", "conditional", "withheld"}
    assert HAN.search(layer.licence.basis), "the legal basis is named in Chinese, as it is in law"
    assert re.fullmatch(r"P(T?\d+[YMWDHS])+", layer.cycle)
    if layer.licence.share == "withheld":
        assert layer.clearance is Clearance.RESTRICTED


@pytest.mark.parametrize("layer", LAYERS)
def test_clearance_is_what_was_agreed(layer: TabularLayer) -> None:
    assert layer.clearance is NOT_PUBLIC.get(layer.id, Clearance.PUBLIC)


@pytest.mark.parametrize("layer", LAYERS)
def test_portal_group_is_known(layer: TabularLayer) -> None:
    assert layer.group in CATALOG.codelist("portal-group@1").codes


@pytest.mark.parametrize("layer", LAYERS)
def test_palettes_colour_every_code(layer: TabularLayer) -> None:
    style = getattr(layer, "style", None)
    for list_id in style.codelists() if style is not None else ():
        codes = CATALOG.codelist(list_id)
        assert set(codes.colours()) == set(codes.codes)


@pytest.mark.parametrize("layer", VECTORS)
def test_code_colours_and_sizes_name_real_codes(layer: VectorLayer) -> None:
    style = layer.style
    palettes = [p for p in style.paints() if isinstance(p, ByValue) and not isinstance(p.colours, str)]
    named = [(p.by, set(p.colours)) for p in palettes]
    for size in (style.line.width if style.line else None, style.circle.radius if style.circle else None):
        if hasattr(size, "sizes"):
            named.append((size.by, set(size.sizes)))
    if style.appear is not None:
        named.append((style.appear.by, set(style.appear.zooms)))
    for attribute, values in named:
        list_id = layer.attributes[attribute].list
        if list_id is not None:
            assert values <= set(CATALOG.codelist(list_id).codes), attribute


@pytest.mark.parametrize("layer", LAYERS)
def test_mapped_values_are_codes_of_the_list(layer: TabularLayer) -> None:
    for name, mapping in layer.sources.items():
        given = {a: {v for v in m.values() if v is not None} for a, m in mapping.values.items()}
        given |= {a: {str(v)} for a, v in mapping.constants.items()}
        for attribute, values in given.items():
            list_id = layer.attributes[attribute].list
            if list_id is not None:
                assert values <= set(CATALOG.codelist(list_id).codes), f"{name}: {attribute}"


@pytest.mark.parametrize("layer", LAYERS)
def test_required_attributes_are_fed_by_every_mapping(layer: TabularLayer) -> None:
    for name, mapping in layer.sources.items():
        if name == "sample" or mapping.format == "cap":
            continue
        fed = {*mapping.fields.values(), *mapping.compose, *mapping.constants, *mapping.times}
        required = {a for a, d in layer.attributes.items() if d.required} | set(getattr(layer, "key", ()))
        # A field of the same name passes by itself; those are few and stated here.
        assert required - fed <= {"time", "code"}, name


@pytest.mark.parametrize("layer", LAYERS)
def test_file_names_choose_one_mapping(layer: TabularLayer) -> None:
    for (one, a), (other, b) in combinations(layer.sources.items(), 2):
        assert not _overlap(a, b), f"{one} and {other}"


def _overlap(a: SourceMapping, b: SourceMapping) -> bool:
    plain = {g.lower() for g in a.match} & {g.lower() for g in b.match}
    return bool(plain)


@pytest.mark.parametrize("layer", SAMPLED)
def test_sample_mapping_leaves_the_authority_alone(layer: TabularLayer) -> None:
    sample = layer.sources["sample"]
    assert sample.match == (f"sample_{layer.name}.*",)
    assert "fictional" in (sample.attribution or "")
    assert not {"authority", "licence"} & set(type(sample).model_fields)


def test_natural_earth_is_marked_as_test_data() -> None:
    for name in ("country", "province"):
        abstract = CATALOG.layer(name).abstract
        assert abstract is not None
        assert "not for official maps" in abstract.en
        assert "不得用于正式地图" in abstract.zh


def test_density_is_never_counted_as_people() -> None:
    density, people = CATALOG.layer("population_density"), CATALOG.layer("population")
    assert density.exposure is None
    assert people.exposure is not None
    assert people.exposure.measure == "sum"
    assert "gpw" not in " ".join(g for m in people.sources.values() for g in m.match)


# ---------------------------------------------------------------- code lists


@pytest.mark.parametrize("codes", LISTS)
def test_code_list_is_bilingual(codes: CodeList) -> None:
    assert codes.codes
    for entry in codes.codes.values():
        require_bilingual(Text(zh=entry.zh, en=entry.en), f"{codes.id} {entry.code}")
        if entry.parent is not None and codes.id != "gb-t-21010@2017":
            assert entry.parent in codes.codes


def test_gb_t_21010_is_whole() -> None:
    codes = CATALOG.codelist("gb-t-21010@2017").codes
    second = [c for c in codes if len(c) == 4]
    assert [c for c in codes if len(c) == 2] == [f"{n:02}" for n in range(1, 13)]
    counts = [sum(c.startswith(f"{n:02}") for c in second) for n in range(1, 13)]
    assert counts == [3, 4, 7, 4, 7, 4, 2, 10, 6, 9, 10, 7]
    assert all(codes[c].parent == c[:2] for c in second)
    assert codes["0101"].zh == "水田"
    assert codes["1003"].zh == "公路用地"


def _hue(colour: str) -> tuple[float, float, float]:
    r, g, b = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return r, g, b


def test_land_use_has_the_colours_officers_know() -> None:
    colour = {c.code: _hue(c.colour or "") for c in CATALOG.codelist("gb-t-21010@2017").codes.values()}
    r, g, b = colour["01"]
    assert r > b + 60 and g > b + 60, "cropland is yellow"  # noqa: PT018
    r, g, b = colour["03"]
    assert g > r and g > b, "forest is green"  # noqa: PT018
    assert sum(colour["04"]) > sum(colour["03"]), "grassland is lighter than forest"
    r, g, b = colour["07"]
    assert r > g + 80 and r > b + 80, "housing is red"  # noqa: PT018
    r, g, b = colour["10"]
    assert max(r, g, b) - min(r, g, b) < 10, "transport is grey"
    r, g, b = colour["11"]
    assert b > g > r, "water is blue"


def test_sibling_classes_can_be_told_apart() -> None:
    codes = CATALOG.codelist("gb-t-21010@2017").codes.values()
    second = [_hue(c.colour or "") for c in codes if len(c.code) == 4]
    assert len(set(second)) == len(second)
    for one, other in pairwise(second):
        assert sum(abs(x - y) for x, y in zip(one, other, strict=True)) >= 12


def test_nlcd_legend_is_the_published_one() -> None:
    codes = CATALOG.codelist("nlcd@2011").codes
    assert [int(c) for c in codes] == [11, 12, 21, 22, 23, 24, 31, 41, 42, 43, 51, 52, 71, 72, 73, 74, 81, 82, 90, 95]
    assert len(CATALOG.codelist("nlcd-simple@2011").codes) == 8


def test_iso_3166_names() -> None:
    codes = CATALOG.codelist("country@iso3166-1").codes
    assert len(codes) > 230
    assert all(re.fullmatch(r"[A-Z]{3}", c) for c in codes)
    assert codes["CHN"].zh == "中国"
    assert codes["FIN"].en == "Finland"


@pytest.mark.realdata
def test_wri_fuels_are_all_mapped(real_data: Path) -> None:
    mapped = CATALOG.layer("power_plant").sources["wri"].values["fuel"]
    seen = set()
    for file in (real_data / "industry").glob("wri_power_plants_*.csv"):
        with file.open(encoding="utf-8", newline="") as handle:
            seen |= {row["Fuel"] for row in csv.DictReader(handle)}
    assert seen - mapped.keys() <= {"Other", ""}


# ---------------------------------------------------------------- documentation and newcomers


def test_reference_page_is_current() -> None:
    page = (ROOT / "docs/layers.md").read_text(encoding="utf-8")
    assert page == render(CATALOG), "run: python -m layers.reference > docs/layers.md"


def test_reference_names_every_layer_and_attribute() -> None:
    page = render(CATALOG)
    for layer in CATALOG:
        assert f"### {layer.name}\n" in page
        for name in layer.attributes:
            assert f"| `{name}` |" in page


NEWCOMER = """
format: 1
kind: vector
title: {zh: 消防站, en: Fire stations}
abstract: {zh: 消防救援站点。, en: Stations of the fire service.}
geometry: point
key: [station_id]
authority: {kind: fire-rescue, name: {zh: 消防救援机构, en: Fire and rescue service}}
cycle: P1Y
licence: {share: unconditional, basis: 中华人民共和国消防法}
clearance: public
attributes:
  station_id: {type: text, required: true, title: {zh: 编号, en: Id}}
  name_zh: {type: text, title: {zh: 中文名, en: Chinese name}}
  name_en: {type: text, title: {zh: 英文名, en: English name}}
label: {zh: name_zh, en: name_en}
style: {circle: {colour: "#b3262a"}}
"""


@pytest.fixture
def with_newcomer(tmp_path: Path) -> Catalog:
    folder = tmp_path / "themes/safety"
    folder.mkdir(parents=True)
    (folder / "fire_station.yaml").write_text(NEWCOMER, encoding="utf-8")
    return read_catalog(tmp_path)


def test_newcomer_adds_a_layer_with_one_file(with_newcomer: Catalog) -> None:
    layer = with_newcomer.layer("safety/fire_station")
    assert layer.title.of("zh") == "消防站"
    assert len(with_newcomer.layers) == len(CATALOG.layers) + 1
    assert "fire_station" not in CATALOG.layers
    assert "### fire_station" in render(with_newcomer)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"authority": None}, "authority"),
        ({"authority": [{"kind": "a"}, {"kind": "b"}]}, "authority"),
        ({"cycle": "yearly"}, "ISO 8601"),
        ({"licence": {"share": "unconditional"}}, "basis"),
        ({"title": {"zh": "消防站"}}, "title.en"),
        ({"colour": "red"}, "Extra inputs"),
        ({"clearance": "secret"}, "public, internal, restricted"),
        ({"key": ["number"]}, "unknown attribute 'number'"),
        ({"style": {"circle": {"colour": "red"}}}, "style"),
    ],
)
def test_mistakes_are_told_with_their_place(change: dict[str, object], expected: str) -> None:
    data = {**yaml.safe_load(NEWCOMER), **change}
    with pytest.raises(DefinitionError, match=re.escape(expected)) as caught:
        parse_layer(data, theme="safety", name="fire_station")
    assert "safety/fire_station.yaml" in caught.value.detail


# ---------------------------------------------------------------- templates of source mappings


@pytest.mark.parametrize(
    ("template", "row", "expected"),
    [
        ("{Y}-{M:02}-{D:02}T{H:02}", {"Y": 1945, "M": "4", "D": 9.0, "H": 0}, "1945-04-09T00"),
        ("{a}T{b:04}", {"a": "2016-02-02", "b": 5}, "2016-02-02T0005"),
        ("{name:zh}", {"name:zh": " 河 "}, "河"),
        ("x-{$fid}", {"$fid": 12}, "x-12"),
        ("x-{a}", {"a": None}, None),
        ("x-{a}", {"a": "  "}, None),
        ("x-{a}", {"a": float("nan")}, None),
        ("x-{a}", {}, None),
        ("{a}", {"a": 1.5}, "1.5"),
    ],
)
def test_templates(template: str, row: dict[str, object], expected: str | None) -> None:
    mapping = SourceMapping(match=("x",), compose={"t": template})
    assert mapping.composed(row) == {"t": expected}


def test_template_with_an_unknown_special_field_is_refused() -> None:
    with pytest.raises(ValueError, match="unknown special field"):
        SourceMapping(match=("x",), compose={"t": "{$row}"})
