"""JSON Schemas of the responses, written from the requirements of the standards; each names its clause."""

from __future__ import annotations

from typing import Any

Schema = dict[str, Any]

LINK: Schema = {
    # RFC 8288 as used by OGC API Common Part 1, 8.3: href and rel; type where the target is a resource of ours.
    "type": "object",
    "required": ["href", "rel"],
    "properties": {
        "href": {"type": "string", "pattern": "^http://"},
        "rel": {"type": "string", "minLength": 1},
        "type": {"type": "string"},
        "templated": {"type": "boolean"},
    },
}
LINKS: Schema = {"type": "array", "minItems": 1, "items": LINK}

LANDING: Schema = {
    # Features Part 1, 7.2 (/req/core/root-success).
    "type": "object",
    "required": ["links"],
    "properties": {"title": {"type": "string"}, "description": {"type": "string"}, "links": LINKS},
}
CONFORMANCE: Schema = {
    # Features Part 1, 7.4 (/req/core/conformance-success).
    "type": "object",
    "required": ["conformsTo"],
    "properties": {
        "conformsTo": {
            "type": "array",
            "minItems": 1,
            "uniqueItems": True,
            "items": {"type": "string", "pattern": "^http://www.opengis.net/spec/"},
        }
    },
}
EXTENT: Schema = {
    # Features Part 1, 7.13 (/req/core/fc-md-extent).
    "type": "object",
    "properties": {
        "spatial": {
            "type": "object",
            "required": ["bbox"],
            "properties": {
                "bbox": {
                    "type": "array",
                    "minItems": 1,
                    "items": {"type": "array", "minItems": 4, "maxItems": 4, "items": {"type": "number"}},
                },
                "crs": {"const": "http://www.opengis.net/def/crs/OGC/1.3/CRS84"},
            },
        },
        "temporal": {
            "type": "object",
            "required": ["interval"],
            "properties": {
                "interval": {
                    "type": "array",
                    "minItems": 1,
                    "items": {
                        "type": "array",
                        "minItems": 2,
                        "maxItems": 2,
                        "items": {"type": ["string", "null"], "format": "date-time"},
                    },
                }
            },
        },
    },
}
COLLECTION: Schema = {
    # Features Part 1, 7.14 (/req/core/sfc-md-success).
    "type": "object",
    "required": ["id", "links", "title", "extent"],
    "properties": {
        "id": {"type": "string"},
        "title": {"type": "string"},
        "links": LINKS,
        "extent": EXTENT,
        "itemType": {"const": "feature"},
        # The list of collections may point to its own list of systems (Part 2, /req/crs/fc-md-crs-list-global).
        "crs": {"type": "array", "contains": {"enum": ["http://www.opengis.net/def/crs/OGC/1.3/CRS84", "#/crs"]}},
    },
}
COLLECTIONS: Schema = {
    # Features Part 1, 7.13 (/req/core/fc-md-success).
    "type": "object",
    "required": ["links", "collections"],
    "properties": {"links": LINKS, "collections": {"type": "array", "items": COLLECTION}},
}
GEOMETRY: Schema = {
    # RFC 7946, 3.1.
    "oneOf": [
        {"type": "null"},
        {
            "type": "object",
            "required": ["type", "coordinates"],
            "properties": {
                "type": {
                    "enum": ["Point", "MultiPoint", "LineString", "MultiLineString", "Polygon", "MultiPolygon"],
                },
                "coordinates": {"type": "array"},
            },
            # RFC 7946, 4: no crs member.
            "additionalProperties": False,
        },
    ]
}
FEATURE: Schema = {
    # RFC 7946, 3.2 and Features Part 1, 7.16.
    "type": "object",
    "required": ["type", "geometry", "properties", "id"],
    "properties": {
        "type": {"const": "Feature"},
        "geometry": GEOMETRY,
        "properties": {"type": ["object", "null"]},
        "id": {"type": "string"},
    },
}
FEATURES: Schema = {
    # RFC 7946, 3.3 and Features Part 1, 7.15 (/req/core/fc-response, fc-links, fc-numberReturned).
    "type": "object",
    "required": ["type", "features", "links", "numberReturned"],
    "properties": {
        "type": {"const": "FeatureCollection"},
        "features": {"type": "array", "items": FEATURE},
        "links": LINKS,
        "numberReturned": {"type": "integer", "minimum": 0},
        "numberMatched": {"type": "integer", "minimum": 0},
    },
}
TILESETS: Schema = {
    # Tiles Part 1, 9.2 (/req/tilesets-list/tileset-links).
    "type": "object",
    "required": ["tilesets"],
    "properties": {
        "tilesets": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["dataType", "crs", "links"],
                "properties": {"dataType": {"enum": ["map", "vector", "coverage"]}, "links": LINKS},
            },
        }
    },
}
TILESET: Schema = {
    # Tiles Part 1, 8.2 (/req/tileset/success) and TMS 2.0 tileset metadata.
    "type": "object",
    "required": ["dataType", "crs", "links", "tileMatrixSetURI"],
    "properties": {
        "dataType": {"enum": ["map", "vector"]},
        "crs": {"type": "string", "pattern": "^http://www.opengis.net/def/crs/EPSG/0/3857$"},
        "links": LINKS,
        "tileMatrixSetLimits": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["tileMatrix", "minTileRow", "maxTileRow", "minTileCol", "maxTileCol"],
            },
        },
    },
}
TILEJSON: Schema = {
    # TileJSON 3.0.0, section 3.
    "type": "object",
    "required": ["tilejson", "tiles", "vector_layers"],
    "properties": {
        "tilejson": {"const": "3.0.0"},
        "tiles": {"type": "array", "minItems": 1, "items": {"type": "string", "pattern": "{z}.*{y}.*{x}"}},
        "minzoom": {"type": "integer", "minimum": 0, "maximum": 30},
        "maxzoom": {"type": "integer", "minimum": 0, "maximum": 30},
        "bounds": {"type": "array", "minItems": 4, "maxItems": 4},
        "vector_layers": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["id", "fields"],
                "properties": {"fields": {"type": "object", "additionalProperties": {"type": "string"}}},
            },
        },
    },
}
TILE_MATRIX_SET: Schema = {
    # OGC 17-083r4, table 8 and JSON encoding.
    "type": "object",
    "required": ["crs", "tileMatrices"],
    "properties": {
        "tileMatrices": {
            "type": "array",
            "minItems": 20,
            "items": {
                "type": "object",
                "required": [
                    "id",
                    "scaleDenominator",
                    "cellSize",
                    "pointOfOrigin",
                    "tileWidth",
                    "tileHeight",
                    "matrixWidth",
                    "matrixHeight",
                ],
            },
        }
    },
}
PROBLEM: Schema = {
    # RFC 9457, 3.1.
    "type": "object",
    "required": ["type", "title", "status", "detail"],
    "properties": {"status": {"type": "integer", "minimum": 400, "maximum": 599}, "detail": {"minLength": 20}},
}
