"""Boundary-point files are read back by the loader, under every built-in template."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyproj
import pytest
import shapely
import sqlalchemy as sa

from geoservice.db.credentials import Role
from geoservice.db.engine import Database
from geoservice.exports.wish import ExportInputs
from layers.catalog import Catalog, read_catalog
from layers.errors import NotAcceptable
from layers.table import current_table
from tests.support.exporting import formats_catalog, made, surfaces
from tests.support.exporting import rows as source_rows
from tests.support.loading import load_file, prepared, trial_layer, write_rows

TEMPLATES = sorted(read_catalog().templates)
MILLIMETRE = 1e-3


def with_readers() -> Catalog:
    """The catalogue of formats with one layer per template, into which its files are loaded."""
    catalog = formats_catalog()
    fields = {"地块编号": "code", "地块名称": "name"}
    layers = []
    for template in TEMPLATES:
        known = {**dict.fromkeys(catalog.templates[template].header), **dict.fromkeys(fields)}
        mapping = {"match": ["*.txt"], "template": template, "fields": {k: v for k, v in fields.items() if k in known}}
        name = "back_" + template.replace("-", "_")
        changes: dict[str, Any] = {"geometry": "polygon", "style": {"fill": "#aabbcc"}, "sources": {"txt": mapping}}
        layers.append(trial_layer(name, **changes))
    label = {"label": {"zh": "name", "en": "name"}}
    named = trial_layer("named", geometry="polygon", style={"fill": "#aabbcc"}, **label)
    return catalog.with_([*layers, named])


def stored(database: Database, catalog: Catalog, name: str) -> dict[str, tuple[str | None, shapely.Geometry]]:
    table = current_table(catalog.layer(name))
    columns = (table.c.code, table.c.name, sa.func.ST_AsBinary(sa.type_coerce(table.c.geom, sa.types.NullType())))
    with database.transaction(Role.WRITER) as connection:
        return {row[0]: (row[1], shapely.from_wkb(bytes(row[2]))) for row in connection.execute(sa.select(*columns))}


def test_files_are_read_back(database: Database, tmp_path: Path) -> None:
    catalog = with_readers()
    target = prepared(database, catalog)
    wanted = [{k: row[k] for k in ("code", "name", "amount", "geometry")} for row in source_rows(surfaces())]
    wanted[1]["name"] = "地块，二, @号\n换行"
    load_file(catalog, target, "named", write_rows(tmp_path / "named.gpkg", wanted))
    way = pyproj.Transformer.from_crs("EPSG:4490", "EPSG:4523", always_xy=True).transform
    for template in TEMPLATES:
        prefix = catalog.templates[template].prefix
        crs = "EPSG:4544" if prefix == "none" else "EPSG:4523"
        inputs = ExportInputs(collection="named", f="boundary", template=template, crs=crs)
        file, _ = made(database, catalog, inputs)
        back = "back_" + template.replace("-", "_")
        report = load_file(catalog, target, back, file)
        assert report.inserted == len(wanted), (template, file.read_text(encoding="utf-8"))
        found = stored(database, catalog, back)
        for row in wanted:
            name, shape = found[row["code"]]
            if "地块名称" in catalog.templates[template].header and row is not wanted[1]:
                # What separates fields cannot stand in one; another sign stands for it.
                signs = str.maketrans(dict.fromkeys(",;、"))
                assert name is not None
                assert name.translate(signs) == row["name"].translate(signs), template
                assert not set(catalog.templates[template].separators) & set(name), template
            one, other = (shapely.transform(s, way, interleaved=False) for s in (shape, row["geometry"]))
            assert shapely.hausdorff_distance(one, other) < MILLIMETRE, template
            # An outline of 4 km that is 0.1 mm off.
            assert shapely.symmetric_difference(one, other).area < 0.5, template


def test_the_zone_is_found_by_the_extent(database: Database, tmp_path: Path) -> None:
    catalog = with_readers()
    target = prepared(database, catalog)
    wanted = [{k: row[k] for k in ("code", "name", "geometry")} for row in source_rows(surfaces())]
    load_file(catalog, target, "named", write_rows(tmp_path / "named.gpkg", wanted))
    file, _ = made(database, catalog, ExportInputs(collection="named", f="boundary"))
    text = file.read_text(encoding="utf-8")
    assert "坐标系=2000国家大地坐标系" in text
    assert "带号=35" in text
    assert "几度分带=3" in text
    assert "clearance=public" in text


@pytest.mark.parametrize("crs", ["EPSG:4490", "EPSG:3857", "EPSG:32648"])
def test_other_systems_are_refused(database: Database, crs: str) -> None:
    catalog = with_readers()
    prepared(database, catalog)
    with pytest.raises(NotAcceptable, match="Gauss-Krueger"):
        made(database, catalog, ExportInputs(collection="named", f="boundary", crs=crs))
