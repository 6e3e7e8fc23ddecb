"""Patches divide the county without gap or overlap, for any number, density and seed."""

from __future__ import annotations

import numpy as np
import pytest
import shapely
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ingest.sample.chance import Noise, stream
from ingest.sample.mesh import Density, build_mesh
from ingest.sample.outline import build_outline, divide


def weights(seed: int) -> np.ndarray:
    chance = np.random.default_rng(seed)
    values = np.exp(chance.normal(0.0, 1.0, (60, 60)))
    values[chance.integers(0, 50) :][:6] *= 20.0
    return values


@example(seed=450, count=1200)
@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10_000), count=st.integers(1, 1200))
def test_mesh_is_a_coverage_of_the_county(seed: int, count: int) -> None:
    outline = build_outline(seed)
    mesh = build_mesh(outline, Density(weights(seed)), count, stream(seed, "mesh"))
    patches = mesh.polygons(0, count)
    assert len(patches) == count
    assert shapely.is_valid(patches).all()
    assert shapely.coverage_is_valid(patches)
    county = outline.polygon()
    assert shapely.coverage_union_all(patches).symmetric_difference(county).area < 1e-8 * county.area


def test_polygons_of_a_part_are_those_of_the_whole() -> None:
    mesh = build_mesh(build_outline(3), Density(weights(3)), 200, stream(3, "mesh"))
    whole = mesh.polygons(0, 200)
    assert shapely.equals_exact(whole[50:120], mesh.polygons(50, 120)).all()


def test_density_decides_the_size() -> None:
    values = np.ones((64, 64))
    values[:, :32] = 25.0
    outline = build_outline(5)
    mesh = build_mesh(outline, Density(values), 1000, stream(5, "mesh"))
    west = mesh.centres[:, 0] < 105.0  # the dense half, but for the turn that the county's map gives to its middle
    assert 0.75 < west.mean() < 0.99


@pytest.mark.parametrize("seed", range(12))
def test_divisions_are_a_coverage_for_any_seed(seed: int) -> None:
    outline = build_outline(seed)
    seeds = np.random.default_rng(seed).random((11, 2)) * 1.7 - 0.85
    wander = (Noise(seed, "a", width=0.35, octaves=4), Noise(seed, "b", width=0.35, octaves=4))
    areas = divide(outline, seeds, wander, 0.05)
    assert len(areas) == 11
    assert shapely.is_valid(areas).all()
    assert shapely.coverage_is_valid(areas)
    assert shapely.area(areas).sum() == pytest.approx(outline.polygon().area, rel=1e-8)
