"""Conformance classes are declared when tests prove them: each class names the tests, and nothing else is declared."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

import pytest

from geoservice.ogc import sensorthings
from geoservice.ogc.blocks import BLOCKS
from tests.conformance.sensorthings import MQTT_PROOFS
from tests.conformance.sensorthings import PROOFS as SENSORTHINGS

ROOT = Path(__file__).parents[2]
SPEC = "http://www.opengis.net/spec/"
FEATURES, PROCESSES, TILES = (f"conformance/test_{name}.py" for name in ("features10", "processes10", "tiles10"))
CQL2, EDITS, CONDITIONS = (f"contract/test_{name}.py" for name in ("cql2_classes", "edits", "edit_conditions"))
FILTER, CRS, OPENAPI, ANSWERS = (f"contract/test_{name}.py" for name in ("filter", "crs", "openapi", "responses"))
PAGES = (ANSWERS, "test_html_twins")
OAS30 = ((FEATURES, "test_the_api_is_found_and_valid"), (OPENAPI, "test_document_is_valid"))
CQL2_PROOF = (
    (CQL2, "test_the_class_finds_what_it_names_in_both_encodings"),
    (CQL2, "test_every_class_that_is_declared_is_proved_and_the_other_way_round"),
)
CQL2_CLASSES = (
    "cql2-text", "cql2-json", "basic-cql2", "advanced-comparison-operators", "case-insensitive-comparison",
    "accent-insensitive-comparison", "basic-spatial-functions", "basic-spatial-functions-plus", "spatial-functions",
    "temporal-functions", "property-property", "functions", "arithmetic",
)  # fmt: skip
EDR = "geoservice/edr/test_stations.py"
EDR_CORE = ((EDR, "test_declared_classes"), (EDR, "test_every_question_answers_in_every_format_it_names"))
EDR_COLLECTIONS = ((EDR, "test_the_collection_has_what_the_standard_wants"),)
PROOFS: dict[str, tuple[tuple[str, str], ...]] = {
    "ogcapi-common-1/1.0/conf/core": ((FEATURES, "test_declared_classes"),),
    "ogcapi-common-1/1.0/conf/landing-page": ((ANSWERS, "test_landing_links_lead_somewhere"),),
    "ogcapi-common-1/1.0/conf/json": ((ANSWERS, "test_bodies_follow_the_standards"),),
    "ogcapi-common-1/1.0/conf/html": (PAGES,),
    "ogcapi-common-1/1.0/conf/oas30": OAS30,
    "ogcapi-common-2/1.0/conf/collections": ((FEATURES, "test_collections_say_what_they_hold"),),
    "ogcapi-features-1/1.0/conf/core": (
        (FEATURES, "test_parameters_are_defined_to_the_letter"),
        (FEATURES, "test_the_union_of_pages_is_the_collection"),
        (FEATURES, "test_one_feature"),
    ),
    "ogcapi-features-1/1.0/conf/geojson": ((ANSWERS, "test_bodies_follow_the_standards"),),
    "ogcapi-features-1/1.0/conf/html": ((FEATURES, "test_pages_for_people"),),
    "ogcapi-features-1/1.0/conf/oas30": OAS30,
    "ogcapi-features-2/1.0/conf/crs": (
        (FEATURES, "test_every_system_of_every_collection_answers"),
        (CRS, "test_coordinates_agree_with_pyproj"),
    ),
    "ogcapi-features-3/1.0/conf/queryables": ((FILTER, "test_queryables_are_those_of_the_reader"),),
    "ogcapi-features-3/1.0/conf/queryables-query-parameters": ((FILTER, "test_properties_are_parameters"),),
    "ogcapi-features-3/1.0/conf/filter": ((FILTER, "test_both_languages_find_what_the_reader_may_see"),),
    "ogcapi-features-3/1.0/conf/features-filter": ((FILTER, "test_filters_join_the_other_parameters"),),
    "ogcapi-features-4/1.0/conf/create-replace-delete": (
        (EDITS, "test_a_feature_is_created_and_found_where_the_answer_says"),
        (EDITS, "test_replace_empties_what_it_does_not_mention_and_patch_keeps_it"),
    ),
    "ogcapi-features-4/1.0/conf/update": ((EDITS, "test_replace_empties_what_it_does_not_mention_and_patch_keeps_it"),),
    "ogcapi-features-4/1.0/conf/features": ((CONDITIONS, "test_qgis_edits_as_it_does"),),
    "ogcapi-features-4/1.0/req/optimistic-locking-etags": (
        (CONDITIONS, "test_conditions"),
        (CONDITIONS, "test_of_many_writers_with_one_version_one_succeeds"),
    ),
    **{f"cql2/1.0/conf/{name}": CQL2_PROOF for name in CQL2_CLASSES},
    "ogcapi-tiles-1/1.0/conf/core": ((TILES, "test_the_first_tile_of_every_limit_is_there"),),
    "ogcapi-tiles-1/1.0/conf/tileset": ((TILES, "test_tilesets_have_templates"),),
    "ogcapi-tiles-1/1.0/conf/tilesets-list": ((TILES, "test_lists_say_what_a_client_needs_to_choose"),),
    "ogcapi-tiles-1/1.0/conf/geodata-tilesets": ((TILES, "test_collections_link_to_their_tilesets"),),
    "ogcapi-tiles-1/1.0/conf/dataset-tilesets": (
        (TILES, "test_the_landing_page_links_to_the_tilesets_of_the_data_set"),
        ("contract/test_dataset_tilesets.py", "test_the_template_leads_to_tiles_with_these_layers"),
    ),
    "ogcapi-tiles-1/1.0/conf/mvt": ((ANSWERS, "test_vector_tile_by_an_independent_decoder"),),
    "ogcapi-tiles-1/1.0/conf/png": (("geoservice/test_raster_service.py", "test_a_tile_in_each_format"),),
    "ogcapi-tiles-1/1.0/conf/oas30": ((TILES, "test_the_description_is_valid"),),
    "ogcapi-styles-1/0.0/conf/core": (("contract/test_styles.py", "test_the_list_names_what_the_reader_may_see"),),
    "ogcapi-styles-1/0.0/conf/mapbox-style": (("contract/test_styles.py", "test_a_style_names_this_service_alone"),),
    "ogcapi-processes-1/1.0/conf/core": (
        (PROCESSES, "test_the_list_of_processes"),
        (PROCESSES, "test_the_default_of_outputs_and_response"),
    ),
    "ogcapi-processes-1/1.0/conf/ogc-process-description": ((PROCESSES, "test_each_description"),),
    "ogcapi-processes-1/1.0/conf/json": ((PROCESSES, "test_bodies_that_are_none"),),
    "ogcapi-processes-1/1.0/conf/html": (("contract/test_processes.py", "test_processes_are_listed_and_described"),),
    "ogcapi-processes-1/1.0/conf/oas30": ((PROCESSES, "test_the_description_lists_the_operations"),),
    "ogcapi-processes-1/1.0/conf/job-list": (("contract/test_processes.py", "test_jobs_belong_to_their_owner"),),
    "ogcapi-edr-1/1.0/conf/core": EDR_CORE,
    "ogcapi-edr-1/1.0/conf/collections": EDR_COLLECTIONS,
    "ogcapi-edr-1/1.1/conf/core": EDR_CORE,
    "ogcapi-edr-1/1.1/conf/collections": EDR_COLLECTIONS,
    "ogcapi-edr-1/1.1/conf/queries": (
        (EDR, "test_parameters_are_defined"),
        (EDR, "test_a_radius_is_measured_on_the_ellipsoid"),
        (EDR, "test_areas_boxes_and_corridors"),
        (EDR, "test_a_position_is_answered_by_the_nearest_station"),
        (EDR, "test_the_union_of_the_pages_of_items_is_all"),
        (EDR, "test_locations_lead_to_their_data"),
        ("geoservice/edr/test_rasters.py", "test_cells_along_a_line"),
    ),
    "ogcapi-edr-1/1.1/conf/json": EDR_COLLECTIONS,
    "ogcapi-edr-1/1.1/conf/geojson": ((EDR, "test_other_formats_say_the_same"),),
    "ogcapi-edr-1/1.1/conf/edr-geojson": (
        (EDR, "test_places_follow_the_schema_of_the_standard"),
        (EDR, "test_features_tell_what_was_measured"),
    ),
    "ogcapi-edr-1/1.1/conf/covjson": ((EDR, "test_a_series_has_all_times_and_gaps"),),
    "ogcapi-edr-1/1.1/conf/oas30": (*OAS30, (EDR, "test_parameters_are_defined")),
    "ogcapi-processes-1/1.0/conf/dismiss": (("contract/test_processes.py", "test_a_running_job_is_dismissed"),),
}


@cache
def named_in(file: str) -> frozenset[str]:
    """Names of the test functions of a file, those of classes included."""
    tree = ast.parse((ROOT / "tests" / file).read_text(encoding="utf-8"))
    return frozenset(
        node.name
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_")
    )


def test_what_is_declared_is_proved_and_the_other_way_round() -> None:
    declared = {one.removeprefix(SPEC) for block in BLOCKS for one in block.conformance}
    assert declared == set(PROOFS)


@pytest.mark.parametrize("name", PROOFS)
def test_the_proof_is_there(name: str) -> None:
    for file, test in PROOFS[name]:
        assert test in named_in(file), f"{file} has no {test}"


def test_requirements_of_sensorthings_are_proved_and_the_other_way_round() -> None:
    assert set(SENSORTHINGS) == set(sensorthings.CONFORMANCE)
    assert set(MQTT_PROOFS) == {sensorthings.CREATION_BY_MQTT}
    for proofs in (*SENSORTHINGS.values(), *MQTT_PROOFS.values()):
        assert proofs
        assert all(test in named_in(f"conformance/{file}") for file, test in proofs)


def test_a_proof_that_is_not_there_is_noticed() -> None:
    assert "test_of_nothing" not in named_in(FEATURES)
