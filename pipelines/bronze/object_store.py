"""Bronze in an object store (`STRAVA_BRONZE_URL=s3://…`): dlt writes the shards there, and a local copy is read.

Shards never change, so the copy is right as far as it goes; missing shards are fetched. Credentials are AWS's own: the
variables AWS_ACCESS_KEY_ID and so on, a profile, a role; AWS_ENDPOINT_URL names another store than Amazon's.
"""

import os
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

import dlt
from botocore.exceptions import BotoCoreError, ClientError  # type: ignore[import-untyped]
from dlt.common.configuration.specs import AwsCredentials
from dlt.destinations.impl.filesystem.filesystem import FilesystemClient
from fsspec import AbstractFileSystem  # type: ignore[import-untyped]

from pipelines.ground.durable import is_there, written_whole
from pipelines.ground.errors import BadSetting, StorageFailed, StravaError
from pipelines.ground.network import BucketRoute
from pipelines.sources.strava_api.terminal import one_line

AMAZON = "https://s3.amazonaws.com"
ENDPOINT_VARIABLES = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL")
TROUBLES = (BotoCoreError, ClientError, OSError)


def aws_credentials() -> AwsCredentials:
    """Credentials by AWS's own rules, and the address of the store.

    Raises:
        BadSetting: there are none.
    """
    # a quarter of a second, only for those who use it
    from botocore.session import get_session  # type: ignore[import-untyped]  # noqa: PLC0415

    if get_session().get_credentials() is None:
        raise BadSetting(
            "STRAVA_BRONZE_URL names a bucket, but there are no credentials for it: set AWS_ACCESS_KEY_ID and "
            "AWS_SECRET_ACCESS_KEY (and AWS_ENDPOINT_URL for another store than Amazon's)."
        )
    credentials = AwsCredentials()
    credentials.endpoint_url = _endpoint()
    return credentials


def store_error(url: str, error: BaseException) -> StravaError:
    """What the object store at `url` refused, or which setting is wrong, as a sentence with the next step."""
    try:
        wrong = BucketRoute(_endpoint() or AMAZON).wrong_setting(error)
    except BadSetting as no_proxy:
        wrong = no_proxy
    if wrong is not None:
        return wrong
    reason = one_line((str(error).splitlines() or [type(error).__name__])[0])
    return StorageFailed(
        f"Bronze at {url} could not be used: {reason}. Check the address, the AWS_* variables and "
        "the rights to list, read and write there; what had landed is safe."
    )


def _endpoint() -> str | None:
    return next((os.environ[name] for name in ENDPOINT_VARIABLES if os.environ.get(name)), None)


def fetch_missing(pipeline: dlt.Pipeline, url: str, tables: Iterable[str], folder: Path) -> None:
    """Fetch into `folder` the shards of `tables` that `pipeline`'s destination at `url` has and `folder` lacks.

    Raises:
        StorageFailed: the store, or the disk, refuses.
        BadSetting: a proxy or a file of certificates is wrong.
    """
    try:
        with pipeline.destination_client() as client:
            assert isinstance(client, FilesystemClient)  # noqa: S101 - for the type checker: we chose it
            store = client.fs_client
            # not from a cache: another machine may have landed shards since
            store.invalidate_cache()
            for table in tables:
                for path, facts in store.find(f"{client.dataset_path.rstrip('/')}/{table}", detail=True).items():
                    _fetch(store, path, facts["size"], folder / table / PurePosixPath(path).name)
    except StorageFailed:
        raise
    except TROUBLES as error:
        raise store_error(url, error) from error


def _fetch(store: AbstractFileSystem, path: str, size: int, local: Path) -> None:
    # another size: a purge on another machine has erased rows of it
    if local.suffix != ".parquet" or (is_there(local) and local.stat().st_size == size):
        return
    content = store.cat_file(path)
    if len(content) < size:
        raise OSError(f"{len(content):,} of the {size:,} bytes of {path} came")
    with written_whole(local) as file:
        file.write(content)


def put_back(pipeline: dlt.Pipeline, url: str, local: Path) -> None:
    """Make the shard in `pipeline`'s destination at `url` equal to `local`, its copy, or remove it if that is gone.

    Raises:
        StorageFailed: the store refuses; it is unchanged.
    """
    try:
        with pipeline.destination_client() as client:
            assert isinstance(client, FilesystemClient)  # noqa: S101 - for the type checker: we chose it
            path = f"{client.dataset_path.rstrip('/')}/{local.parent.name}/{local.name}"
            # an error must not count as absence: what is absent here is removed there
            if is_there(local):
                client.fs_client.put_file(str(local), path)
            elif client.fs_client.exists(path):
                client.fs_client.rm_file(path)
    except TROUBLES as error:
        raise store_error(url, error) from error


def take_away(pipeline: dlt.Pipeline, url: str, local: Iterable[Path]) -> None:
    """Remove the shard files in `pipeline`'s destination at `url` whose copies are `local`, as far as they exist.

    Raises:
        StorageFailed: the store refuses.
    """
    try:
        with pipeline.destination_client() as client:
            assert isinstance(client, FilesystemClient)  # noqa: S101 - for the type checker: we chose it
            dataset, store = client.dataset_path.rstrip("/"), client.fs_client
            store.invalidate_cache()
            there = {str(path) for path in store.find(dataset)}
            wanted = [f"{dataset}/{path.parent.name}/{path.name}" for path in local]
            if found := [path for path in wanted if path in there]:
                store.rm(found)
    except TROUBLES as error:
        raise store_error(url, error) from error
