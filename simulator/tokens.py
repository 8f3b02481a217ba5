"""Strava's OAuth: codes, access tokens that live six hours, refresh tokens that rotate."""

import secrets
from collections.abc import Callable
from dataclasses import dataclass

ACCESS_TOKEN_LIVES_S = 6 * 3600
REUSED_WHILE_LEFT_S = 3600
SCOPES = (
    "read",
    "read_all",
    "profile:read_all",
    "profile:write",
    "activity:read",
    "activity:read_all",
    "activity:write",
)


@dataclass
class Grant:
    """What an athlete allowed an app: a scope (comma-separated), with its refresh token and newest access token."""

    scope: str
    refresh_token: str
    access_token: str | None = None
    expires_at: int = 0


class Tokens:
    """All grants. Not locked: `World` calls it under its lock.

    `now_s` gives the epoch seconds; `rotates` says whether a new access token comes with a new refresh token.
    """

    def __init__(self, now_s: Callable[[], float], *, rotates: bool) -> None:
        self._now_s = now_s
        self._rotates = rotates
        self._codes: dict[str, str] = {}
        self._by_refresh: dict[str, Grant] = {}
        self._by_access: dict[str, tuple[Grant, int]] = {}

    def new_code(self, scope: str) -> str:
        """Return a code that can be exchanged once."""
        code = secrets.token_hex(20)
        self._codes[code] = scope
        return code

    def new_grant(self, scope: str) -> Grant:
        """Return a grant as if the athlete had just allowed this scope; it has no access token yet."""
        grant = Grant(scope, secrets.token_hex(20))
        self._by_refresh[grant.refresh_token] = grant
        return grant

    def is_live(self, refresh_token: str) -> bool:
        """Say whether there is a grant with this refresh token."""
        return refresh_token in self._by_refresh

    def exchange(self, code: str) -> Grant | None:
        """Return a grant with an access token for a code, or None if there is no such code (any more)."""
        scope = self._codes.pop(code, None)
        return None if scope is None else self.refresh(self.new_grant(scope).refresh_token)

    def refresh(self, refresh_token: str) -> Grant | None:
        """Return the grant with a live access token, or None for a refresh token that is dead or never was.

        While more than an hour is left the same tokens come again. Otherwise both are new (if `rotates`), and the old
        refresh token is dead from then on, while the old access token lives out its hours.
        """
        grant = self._by_refresh.get(refresh_token)
        if grant is None:
            return None
        if grant.access_token is None or grant.expires_at - self._now_s() <= REUSED_WHILE_LEFT_S:
            grant.access_token = secrets.token_hex(20)
            grant.expires_at = int(self._now_s()) + ACCESS_TOKEN_LIVES_S
            self._by_access[grant.access_token] = (grant, grant.expires_at)
            if self._rotates:
                del self._by_refresh[grant.refresh_token]
                grant.refresh_token = secrets.token_hex(20)
                self._by_refresh[grant.refresh_token] = grant
        return grant

    def scopes_of(self, access_token: str) -> frozenset[str] | None:
        """Return the scopes of a live access token, or None."""
        grant, expires_at = self._by_access.get(access_token, (None, 0))
        return frozenset(grant.scope.split(",")) if grant and expires_at > self._now_s() else None

    def allowed(self, scope: str) -> bool:
        """Say whether the athlete has already allowed all of this scope (comma-separated) in one grant."""
        wanted = set(scope.split(","))
        return any(wanted <= set(grant.scope.split(",")) for grant in self._by_refresh.values())

    def expire_access_tokens(self) -> None:
        """Let all access tokens die now; the refresh tokens live on."""
        self._by_access.clear()
        for grant in self._by_refresh.values():
            grant.access_token = None

    def revoke(self, token: str) -> bool:
        """Withdraw the grant that an access or refresh token belongs to; say whether there was one."""
        grant = self._by_refresh.get(token) or self._by_access.get(token, (None, 0))[0]
        if grant is None:
            return False
        self._by_refresh.pop(grant.refresh_token, None)
        for access_token in [a for a, (owner, _) in self._by_access.items() if owner is grant]:
            del self._by_access[access_token]
        return True
