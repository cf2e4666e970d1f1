"""WeasyPrint, loaded when something is printed, and fonts that are those of this package and of no machine.

A machine without Pango starts and does everything else; printing then is refused as `pdf_unavailable`, with the names
of what is missing. Fonts that happen to be installed are never seen: two machines with one lock print the same bytes.
"""

import warnings
from contextlib import redirect_stdout
from functools import cache
from importlib import import_module
from io import StringIO
from pathlib import Path
from typing import Any

from PIL import ImageFile

from sfa.core.errors import Refused

FONTS = Path(__file__).parents[1] / "fonts"
PACKAGES = "libpango-1.0-0 libpangoft2-1.0-0 libharfbuzz-subset0"
FONTCONFIG = "FcConfig * FcConfigCreate (void);"
# Templates call the Han font by the family of all its kin; the file is the one for simplified Chinese.
KIN = b"""<?xml version="1.0"?><!DOCTYPE fontconfig SYSTEM "urn:fontconfig:fonts.dtd"><fontconfig>
<match target="pattern">
<test name="family"><string>Noto Sans CJK</string></test>
<edit name="family" mode="append"><string>Noto Sans CJK SC</string></edit></match></fontconfig>"""


@cache
def weasyprint() -> Any:
    """The library. Refuses `pdf_unavailable` where it, or a system library that it needs, is missing."""
    try:
        with warnings.catch_warnings(), redirect_stdout(StringIO()):  # it prints a page about what is missing
            warnings.simplefilter("ignore")  # it warns of machines without fonts: ours are bundled
            library = import_module("weasyprint")
            foreign = import_module("weasyprint.text.ffi")
    except (ImportError, OSError) as error:
        raise Refused(
            "pdf_unavailable", f"no PDF can be made here: {_first_line(error)} (on Debian: {PACKAGES})"
        ) from error
    if foreign.harfbuzz_subset is None:
        raise Refused("pdf_unavailable", "no PDF can be made here: libharfbuzz-subset is missing")
    _mend(import_module("pydyf"))
    ImageFile.LOAD_TRUNCATED_IMAGES = False  # it says yes for the whole process, thumbnails too
    return library


def _mend(pydyf: Any) -> None:
    """Its list of pages is made anew for each element of each page, which makes long documents take the square of
    their length; the same list is now made once for each page that is added."""

    def page_references(pdf: Any) -> tuple[bytes, ...]:
        kids = pdf.pages["Kids"]
        known: tuple[bytes, ...] = getattr(pdf, "_references", ())
        if 3 * len(known) != len(kids):
            known = pdf._references = tuple(f"{number} 0 R".encode() for number in kids[::3])
        return known

    pydyf.PDF.page_references = property(page_references)


def available() -> str | None:
    """Why no PDF can be made on this machine, in words; null if it can."""
    try:
        weasyprint()
    except Refused as refused:
        return refused.text
    return None


def font_files() -> list[Path]:
    return sorted((*FONTS.glob("*.ttf"), *FONTS.glob("*.otf")))


def font_configuration() -> Any:
    """A new `FontConfiguration` that knows the bundled fonts and no others."""
    return _configuration_class()()


@cache
def _bundled() -> Any:
    """Fontconfig's own description of our fonts, made once in a process: reading them takes longer than a page."""
    weasyprint()
    foreign = import_module("weasyprint.text.ffi")
    foreign.ffi.cdef(FONTCONFIG)
    config = foreign.fontconfig.FcConfigCreate()
    foreign.fontconfig.FcConfigParseAndLoadFromMemory(config, KIN, True)
    for path in font_files():
        if not foreign.fontconfig.FcConfigAppFontAddFile(config, str(path).encode()):
            raise Refused("pdf_unavailable", f"no PDF can be made here: the font {path.name} cannot be read")
    return config


@cache
def _configuration_class() -> Any:
    weasyprint()
    foreign, fonts = import_module("weasyprint.text.ffi"), import_module("weasyprint.text.fonts")
    ffi = foreign.ffi

    class Bundled(fonts.FontConfiguration):  # type: ignore[misc, name-defined]
        """Ours, whatever `@font-face` says: those rules are for browsers, and name the same fonts."""

        def __init__(self) -> None:
            self._config = _bundled()
            self.font_map = ffi.gc(foreign.pangoft2.pango_ft2_font_map_new(), foreign.gobject.g_object_unref)
            foreign.pangoft2.pango_fc_font_map_set_config(ffi.cast("PangoFcFontMap *", self.font_map), self._config)
            self._folder = None
            self.strut_layouts: dict[Any, Any] = {}
            self.font_features: dict[Any, Any] = {}

        def add_font_face(self, rule_descriptors: Any, url_fetcher: Any) -> None:
            pass

    return Bundled


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
