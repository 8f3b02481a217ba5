"""Java: whether there is one that Spark runs on."""

import os
import re
import shutil
import subprocess

from pipelines.ground.errors import BadSetting

# Debian has these, and Spark 3.5 runs on them
VERSIONS = (17, 21)
INSTALL = "install Debian's openjdk-17-jre-headless, or name another one in JAVA_HOME"


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
    ran = subprocess.run([java, "-version"], capture_output=True, text=True, check=False)  # noqa: S603 - found above
    found = re.search(r'version "(\d+)', ran.stderr)
    if found is None or int(found[1]) not in VERSIONS:
        which = f"{java} is Java {found[1]}" if found else f"{java} does not start"
        raise BadSetting(f"Spark needs Java 17 or 21, and {which}: {INSTALL}.")
