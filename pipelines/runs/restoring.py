"""A restore that was killed after it began to replace files: its marker stays until a run completes it."""

from pipelines.ground.durable import is_there
from pipelines.ground.errors import StorageFailed
from pipelines.ground.settings import StravaSettings


def require_whole_state(settings: StravaSettings) -> None:
    """Check that the state is not half restored, for commands that only read.

    Raises:
        StorageFailed: it is half old and half restored.
    """
    if is_there(settings.restoring_path):
        raise StorageFailed(
            "A restore is not complete: part of what is here is old, and part is restored. Unless it is still running, "
            "complete it with: make compact (every command that writes does so)."
        )
