"""Bronze in an object store (`STRAVA_BRONZE_URL=s3://…`): dlt writes the shards there, and a local copy is read.

Shards never change, so the copy is right as far as it goes; missing shards are fetched. Credentials are AWS's own: the
variables AWS_ACCESS_KEY_ID and so on, a profile, a role; AWS_ENDPOINT_URL names another store than Amazon's.
"""

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

import dlt
from botocore.exceptions import BotoCoreError, ClientError  # type: ignore[import-untyped]
from dlt.common.configuration.specs import AwsCredentials
from dlt.destinations.impl.filesystem.filesystem import FilesystemClient
from fsspec import AbstractFileSystem  # type: ignore[import-untyped]

from pipelines.ground.durable import is_there, size_of, written_whole
from pipelines.ground.errors import BadSetting, StorageFailed, StravaError
from pipelines.ground.network import BucketRoute
from pipelines.sources.strava_api.terminal import one_line

AMAZON = "https://s3.amazonaws.com"
ENDPOINT_VARIABLES = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL")
# to list a table and fetch what is missing
TRIES = 3
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


@contextmanager
def _destination(pipeline: dlt.Pipeline, url: str) -> Iterator[tuple[AbstractFileSystem, str]]:
    """The store of `pipeline`'s destination at `url`, and the path of the dataset in it.

    Raises:
        StorageFailed, BadSetting: what the store refuses in here, as `store_error` reads it.
    """
    try:
        with pipeline.destination_client() as client:
            assert isinstance(client, FilesystemClient)  # noqa: S101 - for the type checker: we chose it
            yield client.fs_client, client.dataset_path.rstrip("/")
    except TROUBLES as error:
        raise store_error(url, error) from error


def fetch_missing(pipeline: dlt.Pipeline, url: str, tables: Iterable[str], folder: Path) -> None:
    """Fetch into `folder` the shards of `tables` that `pipeline`'s destination at `url` has and `folder` lacks.

    Raises:
        StorageFailed: the store, or the disk, refuses.
        BadSetting: a proxy or a file of certificates is wrong.
    """
    with _destination(pipeline, url) as (store, dataset):
        for table in tables:
            _fetch_table(store, f"{dataset}/{table}", folder / table)


def _fetch_table(store: AbstractFileSystem, place: str, folder: Path) -> None:
    for left in reversed(range(TRIES)):
        # not from a cache: another machine may have landed shards since
        store.invalidate_cache()
        try:
            for path, facts in store.find(place, detail=True).items():
                _fetch(store, path, facts["size"], folder / PurePosixPath(path).name)
        except FileNotFoundError:
            # another machine has just compacted it, or a purge has emptied it
            if not left:
                raise
        else:
            return


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
    with _destination(pipeline, url) as (store, dataset):
        path = f"{dataset}/{local.parent.name}/{local.name}"
        # an error must not count as absence: what is absent here is removed there
        if is_there(local):
            store.put_file(str(local), path)
        elif store.exists(path):
            store.rm_file(path)


def take_away(pipeline: dlt.Pipeline, url: str, local: Mapping[Path, Path]) -> dict[Path, Path]:
    """Remove the shard files in `pipeline`'s destination at `url` whose copies are the keys of `local`.

    Each value is the copy of the file that replaces it: if that is not there, both stay. Returns what was removed, or
    was not there.

    Raises:
        StorageFailed: the store refuses.
    """
    with _destination(pipeline, url) as (store, dataset):
        store.invalidate_cache()
        there = {str(path): facts["size"] for path, facts in store.find(dataset, detail=True).items()}
        place = {path: f"{dataset}/{path.parent.name}/{path.name}" for pair in local.items() for path in pair}
        replaced = {path: by for path, by in local.items() if there.get(place[by]) == size_of(by)}
        if found := [place[path] for path in replaced if place[path] in there]:
            store.rm(found)
    return replaced
