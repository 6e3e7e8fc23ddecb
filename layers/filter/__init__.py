"""Filters in CQL2 (OGC 21-065r2): text or JSON -> one tree -> a condition over a layer's table."""

from layers.filter.parse import LANGS, Filter, parse_filter
from layers.filter.predicate import coarse, has_relations, predicate, relations
from layers.filter.queryables import Queryable, Queryables, common_queryables, queryables_of

__all__ = [
    "LANGS",
    "Filter",
    "Queryable",
    "Queryables",
    "coarse",
    "common_queryables",
    "has_relations",
    "parse_filter",
    "predicate",
    "queryables_of",
    "relations",
]
