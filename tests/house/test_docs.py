"""The documents say what the code does, and nothing that it does not.

How a document names a thing is fixed here: an error code as the first cell of a table row with its status
in the second; a setting as SFA_NAME; a command as `sfa name`; a route as `METHOD /path`; a job as `name` in
backticks; on the map a path from the root, on a line with "(later)" while it is only planned.
"""

import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import pytest

from tests.house import product
from tests.house.tree import PRODUCT, ROOT, document, python_files

CODE_ROW = re.compile(r"^\| *`([a-z_]+)` *\| *(\d{3}) *\|", re.MULTILINE)
COMMAND = re.compile(r"`sfa ([a-z][a-z-]*)")
ROUTE = re.compile(r"\b(GET|POST|PUT|PATCH|DELETE|WS) (/[\w/{}.-]*)")
MAP_PATH = re.compile(
    r"(?<![\w/.:-])"
    r"((?:sfa|sync|forecasting|proposals|tests|docs|bench|\.ci)/[\w./-]*"
    r"|[A-Z]{4,}\.md|Makefile|[a-z]+\.(?:toml|lock))"
)


def test_every_error_code_is_documented_with_its_status() -> None:
    documented = {code: int(status) for code, status in CODE_ROW.findall(document("docs/errors.md"))}
    assert documented == product.error_codes()


def test_every_setting_is_documented_and_every_documented_setting_exists() -> None:
    documented = set(product.SETTING.findall(document("docs/settings.md")))
    assert "SFA_DATABASE_URL" in documented
    assert product.settings() - documented == set(), "not in docs/settings.md"
    assert documented - product.settings() - product.suite_settings() == set(), "nobody reads them"


def test_every_command_is_documented_and_every_documented_command_exists() -> None:
    text = document("docs/cli.md")
    commands = product.commands()
    assert {command for command in commands if not re.search(rf"\b{command}\b", text)} == set()
    assert set(COMMAND.findall(text)) - {command.split()[1] for command in commands} == set()


def test_every_route_is_documented_and_every_documented_route_exists(tmp_path: Path) -> None:
    documented = set(ROUTE.findall(document("docs/api.md")))
    routes = product.routes(tmp_path)
    paths_of_any_method = {path for method, path in routes if method == "*"}
    assert {route for route in routes if route[0] != "*"} - documented == set(), "not in docs/api.md"
    assert paths_of_any_method - {path for _, path in documented} == set(), "not in docs/api.md"
    stale = {route for route in documented - routes if route[1] not in paths_of_any_method}
    assert stale == set(), "no such route"


def test_every_job_is_documented() -> None:
    text = document("docs/operations.md")
    assert {name for name in product.jobs() if f"`{name}`" not in text} == set()


def test_every_path_on_the_map_exists_and_none_that_exists_is_still_called_planned() -> None:
    places = list(places_on_the_map(document("ARCHITECTURE.md")))
    assert [path for path, planned in places if not planned and not stands(path)] == [], "not there"
    assert [path for path, planned in places if planned and stands(path)] == [], "no longer later"


def test_every_package_of_the_product_is_on_the_map() -> None:
    packages = {f"{PurePosixPath(path).parent}/" for path in python_files(*PRODUCT) if path.endswith("__init__.py")}
    on_the_map = {path for path, _ in places_on_the_map(document("ARCHITECTURE.md"))}
    missing = {package for package in packages if not any(path.startswith(package) for path in on_the_map)}
    assert missing == set()


@pytest.mark.parametrize("name", ["README.md", "ARCHITECTURE.md", "CHANGELOG.md"])
def test_every_link_between_documents_leads_somewhere(name: str) -> None:
    links = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", document(name))
    assert [link for link in links if not (ROOT / link).exists()] == []


def test_the_map_is_read_as_it_is_meant() -> None:
    text = "`sync/merge.py` decides.\nsfa/profit/ (later)\nsee docs/nowhere.md, Makefile."
    assert list(places_on_the_map(text)) == [
        ("sync/merge.py", False),
        ("sfa/profit/", True),
        ("docs/nowhere.md", False),
        ("Makefile", False),
    ]
    assert all(map(stands, ("sfa/core/errors", "sfa/core/errors.py", "sfa/core/", "Makefile")))
    assert not stands("docs/nowhere.md")


def places_on_the_map(text: str) -> Iterator[tuple[str, bool]]:
    """(path, planned) of every path from the root; a module may be named without `.py`."""
    for line in text.splitlines():
        for path in MAP_PATH.findall(line):
            yield path.rstrip("."), "(later)" in line


def stands(path: str) -> bool:
    return (ROOT / path).exists() or (ROOT / f"{path}.py").exists()
