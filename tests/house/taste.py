"""What the house does not want in a file, one small rule each: path and text in, findings out.

A finding is a line of words; no finding means the file is in order. Words that the rules look for are put
together from halves, so that this file obeys them as well.
"""

import ast
import re
from pathlib import PurePosixPath

LINES_MAX = 400
SHAPELESS_NAMES = {"utils", "util", "helpers", "helper", "common", "base", "manager", "managers", "misc"}
MAY_ASK_THE_WORLD = ("sfa/core/clock.py", "sfa/app/settings.py", "sfa/app/cli")
ASKS_THE_WORLD = (
    "datetime.now",
    "datetime.utcnow",
    "datetime.today",
    "date.today",
    "time.time",
    "time.time_ns",
    "os.environ",
    "os.environb",
    "os.getenv",
)
UNFINISHED = re.compile(r"\b(" + "|".join(("TO" + "DO", "FIX" + "ME", "X" + "XX")) + r")\b")
REGISTRY_HOSTS = (
    "py" + "pi.org",
    "python" + "hosted.org",
    "registry." + "npmjs.org",
    "registry." + "yarnpkg.com",
    "proxy." + "golang.org",
)
MACHINE_PATH = re.compile(r"(?<![\w.}/])/(?:" + "wo" + r"rk|ro" + r"ot|home/[a-z]\w*|Users/[A-Za-z]\w*)/")
NEIGHBOUR = ".." + "/shared"


def too_long(_path: str, text: str) -> list[str]:
    lines = text.count("\n")
    return [f"{lines} lines, at most {LINES_MAX}"] if lines > LINES_MAX else []


def shapeless_name(path: str, _text: str) -> list[str]:
    parts = PurePosixPath(path).with_suffix("").parts
    return [f"{part!r} names no subject" for part in parts if part in SHAPELESS_NAMES]


def no_docstring(path: str, text: str) -> list[str]:
    """A module says what it promises; only an `__init__` without any statement may be silent."""
    module = ast.parse(text)
    silent = path.endswith("__init__.py") and not module.body
    return [] if silent or ast.get_docstring(module) else ["no module docstring"]


def asks_the_world(path: str, text: str) -> list[str]:
    """Wall clock and environment are read in three places and handed down from there."""
    if path.startswith(MAY_ASK_THE_WORLD):
        return []
    found = []
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Attribute):
            found += [f"line {node.lineno}: {name}" for name in [ast.unparse(node)] if _is_worldly(name)]
        elif isinstance(node, ast.ImportFrom):
            names = [f"{node.module}.{alias.name}" for alias in node.names]
            found += [f"line {node.lineno}: {name}" for name in names if _is_worldly(name)]
    return found


def _is_worldly(name: str) -> bool:
    return any(name == worldly or name.endswith(f".{worldly}") for worldly in ASKS_THE_WORLD)


def unfinished(_path: str, text: str) -> list[str]:
    return _lines_with(text, UNFINISHED)


def registry_host(_path: str, text: str) -> list[str]:
    return _lines_with(text, re.compile("|".join(map(re.escape, REGISTRY_HOSTS))))


def machine_path(_path: str, text: str) -> list[str]:
    return _lines_with(text, MACHINE_PATH)


def neighbour_folder(path: str, text: str) -> list[str]:
    """Only the CI run knows what may lie beside the checkout."""
    return [] if path == ".ci/run" else _lines_with(text, re.compile(re.escape(NEIGHBOUR)))


def _lines_with(text: str, pattern: re.Pattern[str]) -> list[str]:
    return [
        f"line {number}: {match.group()}"
        for number, line in enumerate(text.splitlines(), start=1)
        if (match := pattern.search(line))
    ]
