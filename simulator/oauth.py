"""The OAuth pages: consent, tokens, revocation."""

import base64
import binascii
import html
from typing import Final
from urllib.parse import urlencode, urlsplit

from simulator.answers import Answer, bad_request, ok, unauthorized
from simulator.tokens import SCOPES, Grant
from simulator.world import World

_PAGE: Final = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Authorize</title></head><body>
<h1>A simulated Strava</h1>
<p>App {client_id} would like to read the data of athlete {athlete_id}. Both are made up.</p>
<form action="/oauth/authorize" method="get">
{fields}
<p><button name="_decision" value="approve">Authorize</button> <button name="_decision" value="deny">Cancel</button></p>
</form></body></html>
"""


def authorize(world: World, query: dict[str, list[str]], *, at_once: bool) -> Answer:
    """Answer GET /oauth/authorize: a consent page, or a redirect once decided.

    `_decision=approve|deny` decides without the page, `_scope` (comma-separated or repeated) is what was left ticked.
    `at_once` approves every request. With `approval_prompt=auto` an athlete who has allowed the same before is not
    asked again.

    Raises Refusal (400) for a client, redirect, response type or scope that is wrong.
    """
    asked = {name: values[-1] for name, values in query.items()}
    redirect = asked.get("redirect_uri", "")
    if asked.get("client_id") != world.client_id:
        raise bad_request("Application", "client_id", "invalid")
    if urlsplit(redirect).hostname not in ("localhost", "127.0.0.1", "::1"):
        raise bad_request("Application", "redirect_uri", "invalid")
    if asked.get("response_type", "code") != "code":
        raise bad_request("Application", "response_type", "invalid")
    scopes = asked.get("scope", "read").split(",")
    if not set(scopes) <= set(SCOPES):
        raise bad_request("Authorize", "scope", "invalid")
    with world.lock:
        known = asked.get("approval_prompt", "auto") == "auto" and world.tokens.allowed(",".join(scopes))
        decision = asked.get("_decision") or ("approve" if at_once or known else None)
        if decision is None:
            return _consent(world, asked, scopes)
        state = {"state": asked.get("state", "")}
        if decision != "approve":
            return _redirect(redirect, state | {"error": "access_denied"})
        ticked = ",".join(query.get("_scope", scopes)).split(",")
        granted = ",".join(scope for scope in scopes if scope in ticked)
        return _redirect(redirect, state | {"code": world.tokens.new_code(granted), "scope": granted})


def _redirect(uri: str, parameters: dict[str, str]) -> Answer:
    glue = "&" if urlsplit(uri).query else "?"
    return Answer(302, b"", "text/html", {"Location": uri + glue + urlencode(parameters, safe=",:")})


def _consent(world: World, asked: dict[str, str], scopes: list[str]) -> Answer:
    hidden = [
        f'<input type="hidden" name="{html.escape(name)}" value="{html.escape(value)}">'
        for name, value in asked.items()
        if not name.startswith("_")
    ]
    boxes = [
        f'<p><label><input type="checkbox" name="_scope" value="{scope}" checked> {scope}</label></p>'
        for scope in scopes
    ]
    page = _PAGE.format(client_id=world.client_id, athlete_id=world.athlete_id, fields="\n".join([*hidden, *boxes]))
    return Answer(200, page.encode(), "text/html; charset=utf-8")


def token(world: World, form: dict[str, str]) -> Answer:
    """Answer POST /oauth/token for `authorization_code` and `refresh_token`.

    Raises Refusal: 401 for a wrong client, 400 for a code or refresh token that is wrong, used or replaced.
    """
    if (form.get("client_id"), form.get("client_secret")) != (world.client_id, world.client_secret):
        raise unauthorized("Application", "", "invalid")
    with world.lock:
        kind = form.get("grant_type")
        if kind == "authorization_code":
            grant = world.tokens.exchange(form.get("code", ""))
            if grant is None:
                raise bad_request("AuthorizationCode", "code", "invalid")
            return ok(_as_json(world, grant) | {"athlete": world.profile() | {"resource_state": 2}})
        if kind == "refresh_token":
            grant = world.tokens.refresh(form.get("refresh_token", ""))
            if grant is None:
                raise bad_request("RefreshToken", "refresh_token", "invalid")
            return ok(_as_json(world, grant))
    raise bad_request("Application", "grant_type", "invalid")


def _as_json(world: World, grant: Grant) -> dict[str, object]:
    return {
        "token_type": "Bearer",
        "access_token": grant.access_token,
        "expires_at": grant.expires_at,
        "expires_in": grant.expires_at - int(world.now_s()),
        "refresh_token": grant.refresh_token,
    }


def revoke(world: World, form: dict[str, str], authorization: str) -> Answer:
    """Answer POST /oauth/revoke: HTTP Basic authentication by client id and secret, `token` in the body.

    Raises Refusal (401) for a wrong client. A token that is not known is revoked too, as RFC 7009 has it.
    """
    scheme, _, encoded = authorization.partition(" ")
    try:
        client = base64.b64decode(encoded, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        client = ""
    if scheme.lower() != "basic" or client != f"{world.client_id}:{world.client_secret}":
        raise unauthorized("Application", "", "invalid")
    with world.lock:
        world.tokens.revoke(form.get("token", ""))
    return ok({})


def deauthorize(world: World, form: dict[str, str], authorization: str) -> Answer:
    """Answer POST /oauth/deauthorize: the access token in the header or, until June 2027, in the form.

    Raises Refusal (401) for a token that is not known.
    """
    access_token = form.get("access_token") or authorization.partition(" ")[2]
    with world.lock:
        if not world.tokens.revoke(access_token):
            raise unauthorized("Athlete", "access_token", "invalid")
    return ok({"access_token": access_token})
