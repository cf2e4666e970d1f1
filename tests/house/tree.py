"""The files of the project, as the house's own tests read them: text, by path from the root.

It walks the checkout and leaves out what `.gitignore` leaves out, so it also works in a copy without git.
"""

from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PRODUCT = ("sfa", "sync", "forecasting", "proposals")
NOT_OURS = {".git", ".venv", "__pycache__", "node_modules", "build", "dist", "var"}
NOT_TEXT = {
    ".png",
    ".jpg",
    ".ico",
    ".ttf",
    ".otf",
    ".woff",
    ".woff2",
    ".pdf",
    ".gz",
    ".zst",
    ".db",
    ".sqlite",
    ".mo",
}


def _walk(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.iterdir()):
        if path.name in NOT_OURS or path.name.endswith((".egg-info", "_cache")) or path.name == ".hypothesis":
            continue
        if path.is_dir():
            yield from _walk(path)
        elif path.suffix not in NOT_TEXT and not path.name.startswith(".env"):
            yield path


@cache
def files() -> dict[str, str]:
    """Every text file of the project: path from the root, with slashes -> content."""
    return {path.relative_to(ROOT).as_posix(): path.read_text("utf-8") for path in _walk(ROOT)}


def python_files(*tops: str) -> dict[str, str]:
    """The Python files below the named folders, or all of them."""
    return {
        path: text
        for path, text in files().items()
        if path.endswith(".py") and (not tops or path.split("/")[0] in tops)
    }


def document(path: str) -> str:
    """A document that must exist; its absence fails the test that asks, by name."""
    text = files().get(path)
    assert text is not None, f"{path} is missing"
    return text
