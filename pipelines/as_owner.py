"""The image's entry point: a container started as root becomes the owner of the clone, then runs the command.

Compose does not know its caller. The folder `.dlt` of the clone is mounted, and its owner is the one who cloned.
"""

import os
import signal
import sys

if __name__ == "__main__" and any(argument.endswith("/strava.py") for argument in sys.argv):
    # process 1 ignores a signal that comes before it has a handler: these are blocked until strava.py has one
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM, signal.SIGHUP})

from pathlib import Path

CLONED = Path("/app/.dlt")
HOME = Path(os.environ["STRAVA_HOME"])
FOLDERS = (*(HOME / name for name in ("data", "output", "warehouse", "secrets", "site")), Path("/app/demo"))


def become_owner() -> None:
    """Change from root to the owner of the clone, who also gets the folders that the engine just created for mounts.

    If the clone belongs to root, root stays: that is what a rootless engine shows, whose root is the caller.
    """
    owner = CLONED.stat()
    if os.getuid() != 0 or owner.st_uid == 0:
        return
    for folder in FOLDERS:
        # an empty folder of root's was missing before; one with content is not ours to give away
        if folder.is_dir() and folder.stat().st_uid == 0 and not any(folder.iterdir()):
            os.chown(folder, owner.st_uid, owner.st_gid)
    os.setgroups([])
    os.setgid(owner.st_gid)
    os.setuid(owner.st_uid)


if __name__ == "__main__":
    become_owner()
    os.execvp(sys.argv[1], sys.argv[1:])  # noqa: S606 - the image's own command
