"""A zone as GeoJSON features: one per class and estimate, for maps and programs that know no hazard zones."""

from __future__ import annotations

from typing import Any

from layers.hazard import HazardZone, ZoneClass

Json = dict[str, Any]


def feature_collection(zone: HazardZone) -> Json:
    """The classes of a zone as features: the best estimate first, then the low and the high one where there are any.

    The member `hazard` of the collection is the zone without its classes.
    """
    estimates = {"best": zone.classes, "low": zone.low, "high": zone.high}
    features = [_feature(zone, estimate, one) for estimate, classes in estimates.items() for one in classes or ()]
    told = zone.model_dump(mode="json", exclude={"classes", "low", "high"})
    return {"type": "FeatureCollection", "id": zone.id, "hazard": told, "features": features}


def _feature(zone: HazardZone, estimate: str, one: ZoneClass) -> Json:
    band = {} if one.band is None else one.band.model_dump()
    return {
        "type": "Feature",
        "id": f"{zone.id}.{estimate}.{one.rank}",
        "geometry": one.geometry,
        "properties": {
            "estimate": estimate,
            "rank": one.rank,
            "code": one.code,
            "label_zh": one.label.zh,
            "label_en": one.label.en,
            **{name: band.get(name) for name in ("unit", "at_least", "below")},
            "kind": zone.kind,
            "status": zone.status,
            "screening": zone.screening,
        },
    }
