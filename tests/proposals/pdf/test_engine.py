"""Machines without Pango, and what is loaded when."""

import os
import subprocess
import sys
from importlib import import_module

import pytest

from proposals.pdf import engine
from sfa.core.errors import Refused
from tests.proposals.pdf.pages import page, printed

WITHOUT = """
import ctypes.util, importlib.abc, sys
from cffi import FFI
def none(*_): raise OSError("cannot load library 'libpango-1.0-0': no such file\\nmore words")
FFI.dlopen = none
import sfa.app.factory, sfa.app.cli, proposals.pdf.printing
from proposals.pdf.engine import available
assert "weasyprint" not in sys.modules
from sfa.core.errors import Refused
from tests.proposals.pdf.pages import page, printed
for _ in range(2):
    try:
        printed(page())
    except Refused as refused:
        print(refused.code, "|", refused.text)
print(available())
"""


def test_without_pango_the_server_loads_and_printing_says_what_is_missing() -> None:
    said = subprocess.run([sys.executable, "-c", WITHOUT], capture_output=True, check=True, env={**os.environ})
    first, second, why = said.stdout.decode().splitlines()
    assert first == second == f"pdf_unavailable | {why}"
    assert "libpango-1.0-0" in why
    assert "libharfbuzz-subset0" in why


def test_with_pango_there_is_nothing_to_say() -> None:
    assert engine.available() is None


def test_a_machines_own_fonts_are_never_seen() -> None:
    """A style that asks for a font that is installed gets one of ours; what no bundled font has is shown as unknown."""
    ours = printed(page("<h1>Offer</h1>", "body { font-family: 'Noto Sans' }"))
    assert printed(page("<h1>Offer</h1>", "body { font-family: 'DejaVu Serif', 'Noto Sans' }")) == ours
    with pytest.raises(Refused) as caught:
        printed(page("<h1>Offer</h1>", "h1::before { content: '\\13000' }"))
    assert caught.value.details["reason"] == "glyphs"


def test_pages_are_named_once_for_each_that_is_added() -> None:
    """The engine's own list, which it makes anew for each element, and ours are the same."""
    engine.weasyprint()
    pydyf = import_module("pydyf")

    pdf = pydyf.PDF()
    assert pdf.page_references == ()
    for number in range(3):
        pdf.add_page(pydyf.Dictionary({"Type": "/Page"}))
        assert pdf.page_references == tuple(f"{kid} 0 R".encode() for kid in pdf.pages["Kids"][::3])
        assert len(pdf.page_references) == number + 1
