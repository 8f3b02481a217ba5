"""Java: whether there is one that Spark runs on."""

import os
import re
import shutil
import subprocess

from pipelines.ground.errors import BadSetting
from pipelines.warehouse.dbt_process import passed_on

# Debian has one of these, and Spark 3.5 runs on them
VERSIONS = (17, 21)
INSTALL = "install openjdk-17-jre-headless or openjdk-21-jre-headless, or name another one in JAVA_HOME"


def require_java() -> None:
    """Check that there is a Java that Spark runs on.

    Raises:
        BadSetting: there is none, or another version.
    """
    home = os.environ.get("JAVA_HOME")
    java = shutil.which("java", path=f"{home}/bin") if home else shutil.which("java")
    if java is None:
        where = f"in JAVA_HOME ({home})" if home else "on this machine"
        raise BadSetting(f"Spark needs Java 17 or 21, and there is none {where}: {INSTALL}.")
    version = _version(java)
    if version not in VERSIONS:
        which = f"is Java {version}" if version else "does not start"
        raise BadSetting(f"Spark needs Java 17 or 21, and {java} {which}: {INSTALL}.")


def _version(java: str) -> int | None:
    """The version of a Java; None if it does not start."""
    try:
        ran = subprocess.run(  # noqa: S603 - our caller found it
            [java, "-version"], env=passed_on(), capture_output=True, text=True, check=False
        )
    except OSError:
        return None
    # Java 8 calls itself 1.8
    found = re.search(r'version "(?:1\.)?(\d+)', ran.stderr)
    return int(found[1]) if found else None
