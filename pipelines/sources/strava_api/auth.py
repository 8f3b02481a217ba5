"""Refresh-token OAuth as a dlt auth class, and its token file."""

import base64
import codecs
import json
import os
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

import requests
from dlt.sources.helpers.rest_client.auth import AuthConfigBase

from .errors import BadSetting, NotAuthorised, StravaUnavailable
from .files import PRIVATE, locked, read_whole, real, storage_error, written_whole
from .pause import Pause
from .settings import CALLED
from .transport import (
    StravaAdapter,
    missing_scopes,
    open_session,
    raise_for_refusal,
    refusals,
)

# a token that is about to expire is refreshed, so that no request arrives too late
EXPIRY_MARGIN_S = 60
# characters that a header may contain; an error about any other would show the token
_SENDABLE = re.compile(r"[\x21-\x7e]+")


@dataclass(frozen=True)
class Tokens:
    """The content of the token file. `expires_at` and `saved_at` are epoch seconds; `refresh_token` is required."""

    refresh_token: str
    access_token: str | None = None
    expires_at: int = 0
    athlete_id: int | None = None
    scope: str | None = None
    saved_at: int = 0

    def __repr__(self) -> str:
        return f"Tokens(athlete_id={self.athlete_id}, expires_at={self.expires_at})"

    @property
    def scopes(self) -> set[str] | None:
        """The granted scopes; None if unknown."""
        return set(self.scope.replace(" ", ",").split(",")) - {""} if self.scope else None


class TokenFile:
    """The tokens of one athlete on disk: mode 0600, replaced atomically, under a lock for threads and processes."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def load(self) -> Tokens:
        """The tokens.

        Raises:
            NotAuthorised: there is no token file, or it contains no refresh token.
            StorageFailed: it cannot be read, or is a link that leads nowhere.
        """
        try:
            content = json.loads(read_whole(self.path))
        except FileNotFoundError:
            raise NotAuthorised(f"There is no token file at {self.path}. Run {CALLED['auth']} once.") from None
        except (ValueError, RecursionError):
            content = None
        refresh_token = content.get("refresh_token") if isinstance(content, dict) else None
        if not isinstance(content, dict) or not isinstance(refresh_token, str) or not refresh_token:
            raise NotAuthorised(
                f"The token file {self.path} is broken: it must be JSON with a refresh_token. "
                f"Restore it from a backup, or run {CALLED['auth']} for a new one."
            )
        return Tokens(
            refresh_token=refresh_token,
            access_token=content.get("access_token") if isinstance(content.get("access_token"), str) else None,
            expires_at=_whole_number(content.get("expires_at")) or 0,
            athlete_id=_whole_number(content.get("athlete_id")),
            scope=content.get("scope") if isinstance(content.get("scope"), str) else None,
            # older files have it as text; it is only shown
            saved_at=_whole_number(content.get("saved_at")) or 0,
        )

    def athlete_id(self) -> int | None:
        """The athlete of the tokens; None if unknown, or without tokens."""
        try:
            return self.load().athlete_id
        except NotAuthorised:
            return None

    def save(self, tokens: Tokens) -> None:
        """Write the tokens to disk; when this returns, they survive a power cut."""
        with written_whole(self.path, PRIVATE) as file:
            file.write(json.dumps(asdict(tokens), indent=1).encode())

    def ensure_writable(self) -> None:
        """Rewrite the file unchanged: a full disk has to show before Strava sends tokens that could not be kept.

        Raises:
            StorageFailed: it cannot be read or written.
        """
        content = read_whole(self.path)
        with written_whole(self.path, PRIVATE) as file:
            file.write(content)

    def ensure_replaceable(self) -> None:
        """Check that new tokens may replace what is there: tokens, whole or broken, or nothing.

        Raises:
            BadSetting: it is something else, which we may not replace.
            StorageFailed: it cannot be read, or is a link that leads nowhere.
        """
        try:
            content = read_whole(self.path).removeprefix(codecs.BOM_UTF8).strip(b"\0 \t\r\n")
        except FileNotFoundError:
            return
        if content and not _may_be_tokens(content):
            raise BadSetting(
                f"{self.path} is not a token file: move it away, or name another file in {CALLED['token_file']}."
            )

    def remove(self) -> None:
        """Delete the token file, and the target of a link; no error if there is none.

        Raises:
            StorageFailed: it cannot be removed.
        """
        try:
            for path in (Path(os.path.realpath(self.path)), self.path):
                path.unlink(missing_ok=True)
        except OSError as error:
            raise storage_error(self.path, error) from error

    @contextmanager
    def locked(self, stop: Pause, on_wait: Callable[[], None] | None = None) -> Iterator[None]:
        """Hold the lock of the tokens: no other process refreshes meanwhile, through whatever link it reaches the file.

        `on_wait` is called before a wait.

        Raises:
            What `Pause.wait` raises: a signal came while another process had the lock.
        """
        path = real(self.path)
        with locked(path.with_name(f".{path.name}.lock"), stop.wait, on_wait):
            yield


def _may_be_tokens(content: bytes) -> bool:
    """Whether `content` is that of a token file, maybe a damaged one."""
    if content[:1] not in (b"{", b"["):
        return False
    try:
        content = json.loads(content)
    except (ValueError, RecursionError):
        return True
    return not content or (
        isinstance(content, dict) and not content.keys().isdisjoint(each.name for each in fields(Tokens))
    )


def _whole_number(value: Any) -> int | None:
    if isinstance(value, str) and value.isascii() and value.isdigit():
        return int(value)
    if isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 2**63:
        return int(value)
    return None


class OAuthApp:
    """Strava's OAuth endpoints as one app: client id and secret travel in bodies and headers, never in a URL."""

    def __init__(self, oauth_url: str, credentials: tuple[str, str], session: requests.Session) -> None:
        self.oauth_url = oauth_url.rstrip("/")
        self.client_id, self._client_secret = credentials
        self._session = session

    def exchange_code(self, code: str, scope: str | None) -> Tokens:
        """Tokens for the code of an authorisation.

        Raises:
            NotAuthorised: the code, the client id or the secret is wrong.
        """
        return self._ask_for_tokens({"grant_type": "authorization_code", "code": code}, Tokens("", scope=scope))

    def refresh(self, tokens: Tokens) -> Tokens:
        """Fresh tokens that replace `tokens`; the old refresh token may be dead from here on.

        Raises:
            NotAuthorised: Strava does not accept the refresh token, or the app.
        """
        return self._ask_for_tokens({"grant_type": "refresh_token", "refresh_token": tokens.refresh_token}, tokens)

    def revoke(self, tokens: Tokens) -> bool:
        """Withdraw the authorisation at Strava; False if Strava no longer knew the token.

        Raises:
            NotAuthorised: Strava does not accept the app.
            StravaUnavailable: the token may still be valid.
        """
        basic = base64.b64encode(f"{self.client_id}:{self._client_secret}".encode()).decode()
        response = self._session.post(
            f"{self.oauth_url}/revoke",
            data={"token": tokens.refresh_token},
            headers={"Authorization": f"Basic {basic}"},
        )
        if not response.ok and response.status_code != requests.codes.bad_request:
            raise self._refused(response)
        return response.ok

    def _ask_for_tokens(self, grant: dict[str, str], before: Tokens) -> Tokens:
        response = self._session.post(
            f"{self.oauth_url}/token",
            data={"client_id": self.client_id, "client_secret": self._client_secret, **grant},
        )
        if not response.ok:
            raise self._refused(response)
        try:
            answer = response.json()
            return replace(
                before,
                # without a match there is no token
                access_token=_SENDABLE.fullmatch(str(answer["access_token"]))[0],  # type: ignore[index]
                refresh_token=str(answer["refresh_token"]),
                expires_at=int(answer["expires_at"]),
                athlete_id=(answer.get("athlete") or {}).get("id") or before.athlete_id,
                saved_at=int(time.time()),
            )
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError, RecursionError):
            raise StravaUnavailable("Strava answered a token request without tokens. Try again later.") from None

    def _refused(self, response: requests.Response) -> NotAuthorised | StravaUnavailable:
        resources = {resource for resource, _, _ in refusals(response)}
        if "RefreshToken" in resources:
            return NotAuthorised(
                "Strava does not accept the refresh token any more (400 invalid_grant): it was revoked or replaced. "
                f"Run {CALLED['auth']}."
            )
        if "AuthorizationCode" in resources:
            return NotAuthorised(
                f"Strava does not accept the code: mistyped, used before, or too old. Run {CALLED['auth']} again."
            )
        if response.status_code in (requests.codes.bad_request, requests.codes.unauthorized):
            return NotAuthorised(
                f"Strava does not accept {CALLED['client_id']} and {CALLED['client_secret']}: "
                "compare them with https://www.strava.com/settings/api."
            )
        if response.status_code == requests.codes.forbidden:
            # the same message as everywhere: the app's owner may have no subscription
            raise_for_refusal(response)
        return StravaUnavailable(f"Strava answered {response.status_code} to a token request. Try again later.")


def open_app(oauth_url: str, credentials: tuple[str, str], retry_wait_s: float, stop: Pause) -> OAuthApp:
    """The app of these credentials (id, secret); its requests do not count toward the budget of reads."""
    return OAuthApp(oauth_url, credentials, open_session(StravaAdapter(stop, retry_wait_s=retry_wait_s)))


class RefreshTokenAuth(AuthConfigBase):
    """Bearer authentication that refreshes itself: before expiry, and once after a 401, with the request replayed once.

    A rotated refresh token is on disk before its access token is first used. `first` is a refresh token to use while
    there is no file, or if Strava no longer accepts the one in the file.
    """

    def __init__(self, app: OAuthApp, file: TokenFile, stop: Pause, first: str | None = None) -> None:
        self._app = app
        self._first = first
        self._file = file
        self._stop = stop
        self._tokens: Tokens | None = None

    def __deepcopy__(self, memo: Any) -> "RefreshTokenAuth":
        """The same object: dlt copies its configuration, and two copies would refresh against each other."""
        return self

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Put the bearer token on `request` and handle a 401."""
        request.headers["Authorization"] = f"Bearer {self._access_token()}"
        request.register_hook("response", self._replay_after_401)  # type: ignore[no-untyped-call]
        return request

    def _replay_after_401(self, response: requests.Response, **kwargs: Any) -> requests.Response:
        if response.status_code != requests.codes.unauthorized or missing_scopes(response):
            return response
        refused = str(response.request.headers["Authorization"]).removeprefix("Bearer ")
        request = response.request.copy()
        request.headers["Authorization"] = f"Bearer {self._access_token(refused)}"
        response.close()
        replayed: requests.Response = response.connection.send(request, **kwargs)
        replayed.history.append(response)
        replayed.request = request
        return replayed

    def _access_token(self, refused: str | None = None) -> str:
        """An access token that is valid and not `refused`; asks Strava only if no other process has."""
        if self._tokens is not None and (token := _usable(self._tokens, refused)):
            return token
        with self._file.locked(self._stop):
            if self._first and not self._file.path.exists():
                self._file.save(Tokens(self._first))
            tokens = self._file.load()
            if not _usable(tokens, refused):
                self._file.ensure_writable()
                tokens = self._refreshed(tokens)
                self._file.save(tokens)
            self._tokens = tokens
        return str(tokens.access_token)

    def _refreshed(self, tokens: Tokens) -> Tokens:
        try:
            return self._app.refresh(tokens)
        except NotAuthorised:
            if not self._first or self._first == tokens.refresh_token:
                raise
            # the athlete has authorised the app again
            return self._app.refresh(Tokens(self._first))


def _usable(tokens: Tokens, refused: str | None) -> str | None:
    token = tokens.access_token or ""
    alive = tokens.expires_at - EXPIRY_MARGIN_S > time.time()
    return token if alive and token != refused and _SENDABLE.fullmatch(token) else None
