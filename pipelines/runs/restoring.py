"""A restore that was killed after it had begun to replace things: known by its marker, until a run completes it."""

from pipelines.ground.durable import is_there
from pipelines.ground.errors import StorageFailed
from pipelines.ground.settings import StravaSettings


def require_whole_state(settings: StravaSettings) -> None:
    """Look whether what is here is one state, for commands that only read.

    Raises:
        StorageFailed: it is half the one before a restore and half the restored one.
    """
    if is_there(settings.restoring_path):
        raise StorageFailed(
            "A restore has not come to its end: what is here is partly of before and partly restored. Unless it is "
            "still going on, complete it with: make compact (every command that writes does)."
        )
