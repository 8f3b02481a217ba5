"""What a network failure means, for everything that sends: which setting is wrong, or which host cannot be reached.

No text of an exception is passed on: it may contain a proxy's password. The sentences consist of hosts, names of
variables and paths.
"""

import os
import re
import socket
import ssl
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit

import requests
from requests.utils import select_proxy
from urllib3.exceptions import HTTPError

from .errors import BadSetting, StravaError, StravaUnavailable
from .settings import CALLED

FAILURES = (requests.exceptions.RequestException, HTTPError, OSError, ValueError)
CA_VARIABLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
_MISSPELLED = (
    requests.exceptions.InvalidURL,
    requests.exceptions.InvalidSchema,
    requests.exceptions.MissingSchema,
    ValueError,
)
_TUNNEL_REFUSED = re.compile(r"Tunnel connection failed: (\d{3})")


class Route:
    """How a request reaches `url`: through which of `proxies`, and trusting which certificates.

    `proxies` and `verify` are as `requests` takes them.

    Raises:
        BadSetting: the proxy has no host.
    """

    def __init__(
        self,
        url: str,
        proxies: Mapping[str, str] | None,
        verify: object,
        ca_variables: Sequence[str] = CA_VARIABLES,
    ) -> None:
        self.url = url
        self._ca_variables = ca_variables
        self.host = host_of(url)
        self.proxy = select_proxy(url, dict(proxies or {}))
        self._ca_path = verify if isinstance(verify, str) else ""
        if self.proxy and host_of(self.proxy) == "?":
            # requests would fail on it in several ways
            raise self.no_proxy()

    @property
    def _through(self) -> str:
        """The proxy and the variable that names it, without user and password."""
        return f"the proxy {host_of(self.proxy or '')} ({self._proxy_variable})"

    def failed(self, error: BaseException) -> StravaError | str:
        """What `error`, raised while sending, means: an error that another try cannot fix, otherwise a few words."""
        causes = list(causes_of(error))
        if (ca_error := self.ca_error(causes)) is not None:
            return ca_error
        if self.proxy and (found := self._proxy_failed(error, causes)):
            return found
        unverified = next((cause for cause in causes if isinstance(cause, ssl.SSLCertVerificationError)), None)
        if unverified is not None:
            return self._unverified(f"Strava ({self.host}) could not be used: its certificate", unverified)
        if isinstance(error, _MISSPELLED) and not isinstance(error, requests.exceptions.JSONDecodeError):
            return BadSetting(f"{self.host} cannot be used: check the addresses {_addresses()}.")
        return _words(error, causes) + (f", by {self._through}" if self.proxy else "")

    def refusal(self, response: requests.Response) -> StravaError | None:
        """The error in an answer that is not Strava's: a proxy wants a password, or it is a redirect."""
        if response.status_code == requests.codes.proxy_authentication_required and self.proxy:
            return self.proxy_refused()
        return self._sent_elsewhere(response.headers["location"]) if response.is_redirect else None

    def proxy_refused(self) -> BadSetting:
        """The error for a proxy that wants another password."""
        return BadSetting(
            f"T{self._through[1:]} refuses to serve us (407): put user and password that it accepts into "
            f"{self._proxy_variable}, as in http://user:password@host:port."
        )

    def _sent_elsewhere(self, location: str) -> StravaUnavailable:
        """The error for a redirect, which is never followed: it would take a token or the client secret along."""
        try:
            target = urljoin(self.url, location)
            to = f"{urlsplit(target).scheme}://{host_of(target)}"
        except ValueError:
            to = "an invalid address"
        return StravaUnavailable(
            f"Strava ({self.host}) sent us on to {to}, which is not followed, to protect your secrets. If that is the "
            f"login page of your network, log in; otherwise check {_addresses()}. {CALLED['later']}"
        )

    @property
    def _proxy_variable(self) -> str:
        scheme = urlsplit(self.url).scheme
        names = (f"{scheme}_proxy", f"{scheme}_proxy".upper(), "all_proxy", "ALL_PROXY")
        return next((name for name in names if os.environ.get(name)), "of this system's settings")

    def no_proxy(self) -> BadSetting:
        """The error for an address that is not a proxy's."""
        name = self._proxy_variable
        return BadSetting(f"{name} is not the address of a proxy: it must look like http://host:port.")

    def _proxy_failed(self, error: BaseException, causes: list[BaseException]) -> StravaError | str | None:
        if isinstance(error, requests.exceptions.InvalidSchema) and str(self.proxy).lower().startswith("socks"):
            return BadSetting(
                f"{self._proxy_variable} names a SOCKS proxy, for which the package PySocks is missing: name a proxy "
                "of the kind http://host:port, or install PySocks into .venv."
            )
        if isinstance(error, _MISSPELLED):
            return self.no_proxy()
        if not isinstance(error, requests.exceptions.ProxyError):
            return None
        unverified = next((cause for cause in causes if isinstance(cause, ssl.SSLCertVerificationError)), None)
        if unverified is not None:
            return self._unverified(f"The certificate of {self._through}", unverified)
        answered = next((found for cause in causes if (found := _TUNNEL_REFUSED.search(str(cause)))), None)
        return self._tunnel_refused(int(answered[1])) if answered else f"{self._through} could not be reached"

    def _tunnel_refused(self, status: int) -> StravaError | str:
        if status == requests.codes.proxy_authentication_required:
            return self.proxy_refused()
        reason = f"{self._through} answered {status}"
        if status < requests.codes.internal_server_error:
            return StravaUnavailable(f"Strava ({self.host}) could not be used: {reason}. {CALLED['later']}")
        return reason

    def ca_error(self, causes: list[BaseException]) -> BadSetting | None:
        """The error for the file of certificates, if a variable names one and it was the cause."""
        # missing for requests, or unusable for OpenSSL; a certificate that does not verify is not the file's fault
        suspicious = any(
            type(cause) is OSError or isinstance(cause, ssl.SSLError | PermissionError | FileNotFoundError)
            for cause in causes
        ) and not any(isinstance(cause, ssl.SSLCertVerificationError) for cause in causes)
        if not self._ca_path or not suspicious or Path(self._ca_path).is_dir():
            return None
        try:
            ssl.create_default_context(cafile=self._ca_path)
        except ssl.SSLError:
            reason = "contains no certificate in PEM"
        except OSError as error:
            reason = f"cannot be read: {error.strerror}"
        else:
            return None
        return BadSetting(
            f"The file {self._ca_path}, which {self._ca_variable} names for the certificates to trust, {reason}. "
            "Name another one, or unset the variable."
        )

    @property
    def _ca_variable(self) -> str:
        return next((name for name in self._ca_variables if os.environ.get(name)), self._ca_variables[0])

    def _unverified(self, what: str, error: ssl.SSLCertVerificationError) -> StravaUnavailable:
        reason = str(error.verify_message).rstrip(".")
        trusted = (
            f"The trusted certificates are those in {self._ca_path} ({self._ca_variable})."
            if self._ca_path
            else "If your network inspects TLS, put its certificate into a file and name that in REQUESTS_CA_BUNDLE."
        )
        return StravaUnavailable(f"{what} could not be verified ({reason}). {trusted} {CALLED['later']}")


def host_of(url: str) -> str:
    """Host and port of `url`, without user, password, path or query; `?` if there is none."""
    # a proxy may be named without a scheme
    place = url.partition("://")[2] or url
    place = re.split(r"[/?#\\]", place, maxsplit=1)[0].rpartition("@")[2]
    return place or "?"


def _addresses() -> str:
    return f"{CALLED['api_url']} and {CALLED['oauth_url']}"


def _words(error: BaseException, causes: list[BaseException]) -> str:
    if isinstance(error, requests.exceptions.Timeout):
        return "no answer in time"
    if isinstance(error, requests.exceptions.ChunkedEncodingError | requests.exceptions.ContentDecodingError):
        return "its answer was cut short"
    if any(isinstance(cause, socket.gaierror) for cause in causes):
        return "its name cannot be resolved"
    if any(isinstance(cause, ssl.SSLError) for cause in causes):
        return "TLS failed"
    return "no connection, or it was dropped"


def causes_of(error: BaseException) -> Iterator[BaseException]:
    """`error` and its causes, the way `requests` and `urllib3` nest them."""
    seen: set[int] = set()
    waiting: list[Any] = [error]
    while waiting:
        cause = waiting.pop()
        if not isinstance(cause, BaseException) or id(cause) in seen:
            continue
        seen.add(id(cause))
        yield cause
        waiting += [getattr(cause, "reason", None), cause.__cause__, cause.__context__, *cause.args]
