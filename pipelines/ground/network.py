"""What a network failure on the way to a bucket means: the source's rules, applied to botocore."""

import os

from requests.utils import get_environ_proxies

from pipelines.ground.errors import BadSetting
from pipelines.sources.strava_api.network import Route, causes_of

CA_VARIABLES = ("AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE")


class BucketRoute(Route):
    """How a request reaches an object store at `url`.

    Raises:
        BadSetting: the proxy has no host.
    """

    def __init__(self, url: str) -> None:
        path = next((value for name in CA_VARIABLES if (value := os.environ.get(name))), True)
        super().__init__(url, get_environ_proxies(url), path, CA_VARIABLES)

    def wrong_setting(self, error: BaseException) -> BadSetting | None:
        """The setting that caused botocore's `error`, if it was one."""
        causes = list(causes_of(error))
        kinds = {type(cause).__name__ for cause in causes}
        if "InvalidProxiesConfigError" in kinds:
            return self.no_proxy()
        statuses = {getattr(cause, "status", None) for cause in causes}
        if self.proxy and (407 in statuses or any("(407)" in str(cause) for cause in causes)):
            return self.proxy_refused()
        return self.ca_error(causes)
