"""Clients that other people wrote, from npm, driven by the tests: what they send is theirs and not our idea of it.

The packages are pinned in package-lock.json and installed once, into this folder.
"""

import fcntl
import json
import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent
INSTALLED = HERE / "node_modules" / ".package-lock.json"
SECONDS_MAX = 120


def install() -> str:
    """Bring the packages here once; -> the path of Node. Skips the test where there is none."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        pytest.skip("Node and npm are needed for clients from npm")
    with (Path(tempfile.gettempdir()) / f"sfa-tests-npm-{os.getuid()}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not INSTALLED.exists() or INSTALLED.stat().st_mtime < (HERE / "package-lock.json").stat().st_mtime:
            quiet = ("--no-audit", "--no-fund", "--loglevel=error")
            subprocess.run((npm, "ci", *quiet), cwd=HERE, check=True, timeout=SECONDS_MAX, capture_output=True)
    return node


def run(script: str, message: Any) -> Any:
    """Give a script of this folder a JSON message; -> its JSON answer. Skips the test where there is no Node."""
    node = install()
    asked = json.dumps(message).encode()
    command = (node, str(HERE / script))
    ran = subprocess.run(command, input=asked, capture_output=True, check=False, timeout=SECONDS_MAX)
    assert ran.returncode == 0, ran.stderr.decode()
    return json.loads(ran.stdout)
