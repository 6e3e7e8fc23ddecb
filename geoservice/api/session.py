"""The portal's session: an API key in a cookie that scripts cannot read and other sites cannot use."""

from __future__ import annotations

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import JSONResponse, Response

from geoservice.house import Asker, Inside
from geoservice.ogc.block import Block, no_links
from geoservice.security.keys import SESSION_COOKIE

router = APIRouter(prefix="/session", tags=["session"])
_EIGHT_HOURS = 8 * 3600


class SignIn(BaseModel):
    """The body of a sign-in."""

    model_config = ConfigDict(extra="forbid")

    key: str = Field(min_length=1, max_length=200, description="An API key of this service.")


@router.get("", summary="Who am I")
async def who(asker: Asker) -> JSONResponse:
    """The principal of this request, its clearance and its rights beyond reading."""
    body = {
        "principal": asker.id,
        "clearance": asker.clearance.label,
        "anonymous": asker.anonymous,
        "rights": sorted(asker.rights),
    }
    return JSONResponse(body, headers={"Cache-Control": "no-store"})


@router.post("", status_code=204, summary="Sign in")
async def sign_in(request: Request, house: Inside, body: SignIn) -> Response:
    """Check a key and keep it in a cookie (HttpOnly, SameSite=Strict) for eight hours."""
    await house.keys.holder(body.key)
    response = Response(status_code=204, headers={"Cache-Control": "no-store"})
    response.set_cookie(
        SESSION_COOKIE,
        body.key,
        max_age=_EIGHT_HOURS,
        httponly=True,
        samesite="strict",
        secure=request.url.scheme == "https",
        path="/",
    )
    return response


@router.delete("", status_code=204, summary="Sign out")
async def sign_out() -> Response:
    """Forget the key."""
    response = Response(status_code=204, headers={"Cache-Control": "no-store"})
    response.delete_cookie(SESSION_COOKIE, path="/", httponly=True, samesite="strict")
    return response


BLOCK = Block("session", None, "stable", (), router, no_links)
