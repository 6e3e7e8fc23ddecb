"""The county is coherent: checked from the written files alone, by other means than those that made it."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
import pyproj
import pytest
import rasterio.features
import shapely

from layers.catalog import read_catalog
from tests.ingest.sample.conftest import Written

GEOD = pyproj.Geod(a=6378137.0, rf=298.257222101)
DEGREE = 111_000.0


def geodesic_area(shape: shapely.Geometry) -> float:
    """Ellipsoidal area with edges cut to about 200 m, so that geodesics hardly differ from straight edges."""
    return abs(GEOD.geometry_area_perimeter(shapely.segmentize(shape, 0.002))[0])


def county(sample: Written) -> shapely.Polygon:
    shape = sample.shapes("division")[sample.column("division", "level").index("county")]
    assert isinstance(shape, shapely.Polygon)
    return shape


def townships(sample: Written) -> dict[str, shapely.Polygon]:
    codes, levels = sample.column("division", "adcode"), sample.column("division", "level")
    found = zip(codes, levels, sample.shapes("division"), strict=True)
    return {str(c): s for c, level, s in found if level == "township"}


def test_townships_cover_the_county_exactly(sample: Written) -> None:
    parts = list(townships(sample).values())
    assert 8 <= len(parts) <= 12
    assert shapely.coverage_is_valid(parts)
    assert shapely.symmetric_difference(shapely.coverage_union_all(parts), county(sample)).area == 0.0
    assert set(sample.column("division", "parent")) == {"990100", "990101"}
    assert all(len(code) == 9 and code.startswith("990101") for code in townships(sample))


def test_patches_cover_the_county_exactly(sample: Written) -> None:
    patches = sample.shapes("landuse_patch")
    assert shapely.coverage_is_valid(patches)
    union = shapely.coverage_union_all(patches)
    assert shapely.symmetric_difference(union, county(sample)).area * DEGREE**2 < 5.0


def test_areas_are_ellipsoidal_and_add_up(sample: Written) -> None:
    areas = np.array(sample.column("landuse_patch", "area"), dtype=np.float64)
    own = np.array([geodesic_area(s) for s in sample.shapes("landuse_patch")])
    np.testing.assert_allclose(areas, own, rtol=1e-5)
    assert areas.sum() == pytest.approx(sample.manifest.area, abs=0.01 * len(areas))
    assert geodesic_area(county(sample)) == pytest.approx(sample.manifest.area, rel=1e-6)
    assert sum(sample.manifest.area_by_class.values()) == pytest.approx(areas.sum(), abs=1.0)


def test_people_add_up_from_villages_to_county(sample: Written) -> None:
    by_township: defaultdict[str, int] = defaultdict(int)
    people = sample.column("populated_place", "population")
    for code, count in zip(sample.column("populated_place", "adcode"), people, strict=True):
        by_township[str(code)] += int(str(count))
    stated = dict(zip(sample.column("division", "adcode"), sample.column("division", "population"), strict=True))
    assert {c: n for c, n in stated.items() if c != "990101"} == by_township == sample.manifest.population_by_township
    assert stated["990101"] == sum(by_township.values()) == sample.manifest.population


def test_people_in_cells_add_up_to_the_townships(sample: Written) -> None:
    with sample.raster("population") as file:
        assert (file.nodata, file.dtypes[0], file.crs.to_epsg()) == (-1.0, "float32", 4490)
        people = file.read(1)
        for code, shape in townships(sample).items():
            inside = rasterio.features.geometry_mask([shape], people.shape, file.transform, invert=True)
            assert people[inside].sum(dtype=np.float64) == pytest.approx(
                sample.manifest.population_by_township[code], rel=1e-5
            )
    assert (people[people != -1.0] >= 0).all()


def test_settlements_stand_on_dry_even_ground_in_their_township(sample: Written) -> None:
    points = sample.shapes("populated_place")
    home = townships(sample)
    codes = [str(c) for c in sample.column("populated_place", "adcode")]
    assert all(shapely.contains(home[c], p) for c, p in zip(codes, points, strict=True))
    water = shapely.union_all([*sample.shapes("lake"), *sample.shapes("river")])
    assert (shapely.distance(points, water) * DEGREE > 90.0).all()
    x, y = shapely.get_x(points), shapely.get_y(points)
    around = np.stack(
        [np.column_stack([x + dx, y + dy]) for dx, dy in ((0.002, 0), (-0.002, 0), (0, 0.002), (0, -0.002))]
    )
    heights = np.array([sample.sampled("elevation", a) for a in around])
    assert np.median(np.ptp(heights, axis=0)) < 30.0


def dense(line: shapely.LineString) -> np.ndarray:
    return shapely.get_coordinates(shapely.segmentize(line, 15.0 / DEGREE))


def test_no_river_flows_uphill(sample: Written) -> None:
    rivers = sample.shapes("river")
    assert len(rivers) > 30
    for line in rivers:
        assert np.diff(sample.sampled("elevation", dense(line))).max() <= 0.0


def test_rivers_end_at_the_border_in_the_reservoir_or_in_another_river(sample: Written) -> None:
    rivers, border, (pool,) = sample.shapes("river"), county(sample).exterior, sample.shapes("lake")
    for number, line in enumerate(rivers):
        mouth = shapely.Point(line.coords[-1])
        others = shapely.union_all(np.delete(rivers, number))
        nearest = min(shapely.distance(mouth, g) for g in (border, pool, others))
        assert nearest * DEGREE < 1.0


def test_rivers_do_not_run_through_the_reservoir(sample: Written) -> None:
    (pool,) = sample.shapes("lake")
    inside = shapely.intersection(sample.shapes("river"), pool)
    assert shapely.length(inside).max() * DEGREE < 60.0


def test_water_from_anywhere_runs_to_the_edge_of_the_land(sample: Written) -> None:
    with sample.raster("elevation") as file:
        assert (file.nodata, file.dtypes[0], file.crs.to_epsg()) == (-9999.0, "float32", 4490)
        height = file.read(1).astype(np.float64)
    assert drained(height).all()


def drained(height: np.ndarray) -> np.ndarray:
    """Cells from which a way that never rises leads to the edge: found by climbing inwards from the edge."""
    rows, columns = height.shape
    reached = np.zeros(height.shape, dtype=bool)
    reached[[0, -1], :] = reached[:, [0, -1]] = True
    level, seen = height.tolist(), reached.tolist()
    queue = [(int(r), int(c)) for r, c in zip(*np.nonzero(reached), strict=True)]
    while queue:
        r, c = queue.pop()
        for i in range(max(r - 1, 0), min(r + 2, rows)):
            for j in range(max(c - 1, 0), min(c + 2, columns)):
                if not seen[i][j] and level[i][j] >= level[r][c]:
                    seen[i][j] = True
                    queue.append((i, j))
    return np.array(seen)


def test_reservoir_lies_below_its_level_behind_the_dam(sample: Written) -> None:
    (pool,), (dam,), level = sample.shapes("lake"), sample.shapes("dam"), sample.manifest.reservoir_level
    with sample.raster("elevation") as file:
        height = file.read(1).astype(np.float64)
        inside = rasterio.features.geometry_mask([pool], height.shape, file.transform, invert=True)
    assert np.mean(height[inside] <= level) > 0.97
    assert shapely.distance(pool, dam) * DEGREE < 200.0
    cell = geodesic_area(pool) / inside.sum()
    volume = np.maximum(level - height[inside], 0.0).sum() * cell / 1e6
    (capacity,) = sample.column("dam", "capacity")
    assert capacity == pytest.approx(volume, rel=0.02)
    (tall,) = sample.column("dam", "height")
    bed = sample.sampled("elevation", shapely.get_coordinates(dam))[0]
    assert bed < level < bed + float(str(tall))


def test_flood_lies_below_the_dam_on_low_connected_ground(sample: Written) -> None:
    (flood,), (pool,), (dam,) = sample.shapes("flood_extent"), sample.shapes("lake"), sample.shapes("dam")
    assert flood.geom_type == "Polygon"
    assert shapely.intersection(flood, pool).area * DEGREE**2 < 20_000.0
    assert shapely.distance(flood, dam) * DEGREE < 800.0
    rivers = sample.shapes("river")
    within = shapely.length(shapely.intersection(rivers, flood)).sum() * DEGREE
    assert within > 8000.0
    (depth,) = sample.column("flood_extent", "depth")
    above = [above_river(sample, shape, rivers) for shape in (flood.exterior, shapely.buffer(flood, 0.003).exterior)]
    assert np.median(above[0]) + 2.0 < np.median(above[1])
    assert 2.0 < float(str(depth)) < 40.0


def above_river(sample: Written, line: shapely.LinearRing, rivers: np.ndarray) -> np.ndarray:
    """Height of the ground along a line above the river point next to it."""
    points = dense(shapely.LineString(line.coords))[::10]
    lines = shapely.shortest_line(shapely.points(points), shapely.union_all(rivers))
    ends = shapely.get_coordinates(lines).reshape(-1, 2, 2)
    return sample.sampled("elevation", ends[:, 0]) - sample.sampled("elevation", ends[:, 1])


def test_roads_are_one_network_that_reaches_every_settlement(sample: Written) -> None:
    lines = sample.shapes("road")
    links: defaultdict[tuple[float, ...], set[tuple[float, ...]]] = defaultdict(set)
    for line in lines:
        a, b = line.coords[0], line.coords[-1]
        links[a].add(b)
        links[b].add(a)
    start = next(iter(links))
    seen, queue = {start}, [start]
    while queue:
        for other in links[queue.pop()] - seen:
            seen.add(other)
            queue.append(other)
    assert seen == set(links)
    assert {p.coords[0] for p in sample.shapes("populated_place")} <= seen


def test_bridges_stand_where_roads_cross_rivers(sample: Written) -> None:
    lines, bridge = sample.shapes("road"), np.array(sample.column("road", "bridge"))
    rivers = shapely.union_all(sample.shapes("river"))
    crosses = shapely.intersects(lines, rivers)
    assert bridge.sum() > 10
    np.testing.assert_array_equal(crosses, bridge)


def test_roads_and_buildings_keep_out_of_the_reservoir(sample: Written) -> None:
    (pool,) = sample.shapes("lake")
    for layer in ("road", "building", "hospital", "school", "railway"):
        assert not shapely.intersects(sample.shapes(layer), pool).any()


def test_buildings_stand_apart_from_one_another_roads_and_rivers(sample: Written) -> None:
    buildings = sample.shapes("building")
    tree = shapely.STRtree(buildings)
    for other in ("road", "river"):
        assert not len(tree.query(sample.shapes(other), predicate="intersects")[0])
    a, b = tree.query(buildings, predicate="intersects")
    assert (a == b).all()


def test_most_buildings_are_public_and_a_few_are_not(sample: Written) -> None:
    sensitivity = sample.column("building", "sensitivity")
    assert sensitivity.count("public") > 0.9 * len(sensitivity)
    assert sensitivity.count("restricted") > 5
    assert sensitivity.count("internal") > 5


def test_patch_numbers_carry_the_code_of_a_village(sample: Written) -> None:
    villages = set(sample.column("populated_place", "place_id"))
    assert {str(i)[:12] for i in sample.column("landuse_patch", "patch_id")} <= villages


def test_use_fits_the_water(sample: Written) -> None:
    patches, classes = sample.shapes("landuse_patch"), np.array(sample.column("landuse_patch", "class_code"))
    (pool,), rivers = sample.shapes("lake"), shapely.union_all(sample.shapes("river"))
    assert shapely.intersects(patches[classes == "1103"], pool).all()
    assert (shapely.distance(patches[classes == "1101"], rivers) * DEGREE < 60.0).all()
    centres = shapely.centroid(patches)
    drowned = shapely.contains(shapely.buffer(pool, -200.0 / DEGREE), centres)
    assert set(classes[drowned]) <= {"1103"}
    assert drowned.any()


def test_use_follows_the_slope_and_groups(sample: Written) -> None:
    classes, slopes = (
        np.array(sample.column("landuse_patch", "class_code")),
        np.array(sample.column("landuse_patch", "slope_class")),
    )
    assert slopes[classes == "0101"].mean() < slopes[classes == "0301"].mean()
    patches = sample.shapes("landuse_patch")
    a, b = shapely.STRtree(patches).query(patches, predicate="touches")
    assert np.mean(classes[a] == classes[b]) > 1.4 * sum(np.mean(classes == c) ** 2 for c in set(classes))


def test_land_cover_is_that_of_the_patches(sample: Written) -> None:
    patches, classes = sample.shapes("landuse_patch"), sample.column("landuse_patch", "class_code")
    cover = sample.sampled("land_cover", shapely.get_coordinates(shapely.point_on_surface(patches)))
    water = np.array([str(c) in ("1101", "1103", "1104") for c in classes])
    crops = np.array([str(c)[:2] == "01" for c in classes])
    assert np.mean(cover[water] == 11) > 0.9
    assert np.mean(cover[crops] == 82) > 0.97
    with sample.raster("land_cover") as file:
        assert (file.nodata, file.dtypes[0], file.crs.to_epsg()) == (255, "uint8", 4490)
        values = set(np.unique(file.read(1)).tolist()) - {255}
    assert values <= {int(c) for c in read_catalog().codelist("nlcd@2011").codes}


def test_imagery_has_three_bands_and_dark_water(sample: Written) -> None:
    with sample.raster("imagery") as file:
        assert (file.count, set(file.dtypes), file.crs.to_epsg()) == (3, {"uint8"}, 4490)
    (pool,) = sample.shapes("lake")
    inside = shapely.get_coordinates(shapely.point_on_surface(pool))
    assert sample.sampled("imagery", inside)[0] < 90


def test_farmland_is_made_of_crop_patches(sample: Written) -> None:
    kinds = sample.column("control_line", "kind")
    assert {"basic_farmland", "eco_redline", "urban_boundary"} == set(kinds)
    lines = sample.shapes("control_line")
    farmland = shapely.union_all([s for s, k in zip(lines, kinds, strict=True) if k == "basic_farmland"])
    classes = np.array(sample.column("landuse_patch", "class_code"))
    crops = shapely.union_all(sample.shapes("landuse_patch")[np.isin(classes, ["0101", "0102"])])
    assert shapely.difference(farmland, crops).area * DEGREE**2 < 1.0
    (red,) = (s for s, k in zip(lines, kinds, strict=True) if k == "eco_redline")
    assert shapely.covers(red, shapely.intersection(sample.shapes("lake")[0], county(sample)))


def test_rocks_cover_the_county(sample: Written) -> None:
    units = sample.shapes("geological_unit")
    assert shapely.coverage_is_valid(units)
    assert shapely.area(units).sum() == pytest.approx(county(sample).area, rel=1e-8)
