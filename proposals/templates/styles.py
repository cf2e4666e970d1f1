"""What a company's CSS may do: colours, sizes, lines and spaces of what the base prints. Only what is listed passes.

CSS stands beside the amounts, and must neither show others nor hide the true ones. So nothing is generated (`content`),
nothing is taken away (`display: none`, `visibility`, `opacity`, `position`, `transform`, `clip`, `overflow`, negative
or far margins, tiny letters, struck out), letters have a contrast of 4.5 to 1 to the ground that the same rule gives
them, pages keep the margins that say "draft" and the page, and nothing is loaded: pictures are the document's. That
stops every plain way; it is no proof that a page can be read, so a template is looked at before it is used.
"""

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any

import tinycss2
from tinycss2.color3 import parse_color

from proposals.templates.problems import Problem
from proposals.templates.template import CSS_MAX
from sfa.core.colours import CONTRAST_MIN, contrast
from sfa.core.colours import PAPER as WHITE

RULES_MAX, SELECTOR_MAX, COMPOUNDS_MAX = 500, 200, 6
_PROPERTIES = """color background background-color border border-top border-right border-bottom border-left border-color
    border-width border-style border-radius border-collapse border-spacing border-top-color border-bottom-color
    border-left-color border-right-color border-top-width border-bottom-width border-left-width border-right-width
    margin margin-top margin-right margin-bottom margin-left padding padding-top padding-right padding-bottom
    padding-left width min-width max-width height max-height font-size font-weight font-style font-variant-numeric
    letter-spacing line-height text-align text-decoration text-transform white-space hyphens vertical-align orphans
    widows break-before break-after break-inside columns column-count column-gap float clear display list-style-type
    caption-side table-layout box-sizing"""
PROPERTIES = frozenset(_PROPERTIES.split())
IN_PAGES = frozenset(("size", "margin", "margin-top", "margin-right", "margin-bottom", "margin-left"))
_IDENTS = {
    "display": "block inline inline-block list-item flow-root table table-row table-cell",
    "text-decoration": "none underline overline",
    "white-space": "normal nowrap",
    "list-style-type": "none disc decimal lower-alpha upper-alpha lower-roman upper-roman",
    "size": "a4 letter portrait landscape",
}
IDENTS = {name: frozenset(said.split()) for name, said in _IDENTS.items()}
NEVER = frozenset(("transparent", "currentcolor", "inherit", "initial", "unset", "revert", "xx-small", "x-small"))
PICTURES = re.compile(r"\.(?:logo|shown|cover-mark|mark)\b|\bimg\b")
PSEUDO = re.compile(r":(?:first-child|last-child|first-of-type|last-of-type|nth-child\((?:odd|even|\d{1,3})\))")
MEDIA = re.compile(r"\s*(?:(?:print|screen)|\((?:min|max)-width:\s*\d{1,4}px\))\s*")
SELECTOR = re.compile(r"[A-Za-z0-9_.#>+~*\s-]+")
# What a length may be at most, in each unit, of spaces; what holds text may be `WIDE` times as wide.
LENGTHS = {"mm": 40, "cm": 4, "in": 1.6, "pt": 115, "pc": 10, "px": 155, "em": 12, "rem": 12, "%": 45, "": 1_000}
WIDE = 8
LETTERS = {"pt": 6, "px": 8, "mm": 2.1, "cm": 0.21, "em": 0.7, "rem": 0.7, "%": 70}
PAGE_MM = {"mm": 1.0, "cm": 10.0, "in": 25.4, "pt": 25.4 / 72, "px": 25.4 / 96, "pc": 25.4 / 6}
PAGE_MIN, PAGE_MAX = 14.0, 50.0
# What cannot be known here is taken at its worst: a brand's colour is at least as dark as `BRAND` (branding.py).
INK, SOFT, BRAND = "#1f2430", "#596170", "#767676"
VARIABLES = {"--primary": BRAND, "--accent": BRAND, "--wash": WHITE, "--accent-wash": WHITE, "--line": "#c8ccd2"}
Nodes = Sequence[Any]


@lru_cache(maxsize=64)
def checked(css: str) -> tuple[Problem, ...]:
    """Everything that is wrong with it."""
    if len(css) > CSS_MAX:
        return (Problem("css", f"CSS has at most {CSS_MAX} characters"),)
    if "<" in css:
        return (Problem("css", "CSS has no <"),)
    if "\\" in css:
        return (Problem("css", "CSS is written without escapes"),)
    reader = _Reader()
    try:
        reader.rules(tinycss2.parse_stylesheet(css, skip_comments=True, skip_whitespace=True), True)
    except RecursionError:
        return (Problem("css", "it is nested too deep"),)
    return tuple(reader.problems)


class _Reader:
    def __init__(self) -> None:
        self.problems: list[Problem] = []
        self._count = 0

    def rules(self, nodes: Iterable[Any], outer: bool) -> None:
        for node in nodes:
            self._count += 1
            if self._count > RULES_MAX:
                self._say(node, f"at most {RULES_MAX} rules")
                return
            if node.type == "qualified-rule":
                self._selector(node)
                self._declarations(node, PROPERTIES, bool(PICTURES.search(tinycss2.serialize(node.prelude))))
            elif node.type == "at-rule" and node.lower_at_keyword == "media" and outer and node.content is not None:
                if not MEDIA.fullmatch(tinycss2.serialize(node.prelude)):
                    self._say(node, "@media is of print, screen, or a (max-width: …px)")
                inner = tinycss2.parse_rule_list(node.content, skip_comments=True, skip_whitespace=True)
                self.rules(inner, False)
            elif node.type == "at-rule" and node.lower_at_keyword == "page" and outer and node.content is not None:
                self._declarations(node, IN_PAGES, False)
            elif node.type == "at-rule":
                self._say(node, f"@{node.at_keyword[:30]} is not for templates here")
            else:
                self._say(node, "cannot be read")

    def _selector(self, rule: Any) -> None:
        text = tinycss2.serialize(rule.prelude)
        for each in text.split(","):
            bare = PSEUDO.sub("", each)
            if len(text) > SELECTOR_MAX or not SELECTOR.fullmatch(bare) or len(bare.split()) > COMPOUNDS_MAX:
                self._say(rule, f"a selector is of elements, classes and ids: {text.strip()[:60]!r}")
                return

    def _declarations(self, rule: Any, allowed: frozenset[str], of_pictures: bool) -> None:
        colours: dict[str, str] = {}
        for node in tinycss2.parse_blocks_contents(rule.content, skip_comments=True, skip_whitespace=True):
            if node.type != "declaration":
                self._say(node, "a rule has declarations only")
                continue
            name = node.lower_name
            if name not in allowed or (name in ("height", "max-height") and not of_pictures):
                self._say(node, f"{name[:40]} is not for templates here")
            elif node.important:
                self._say(node, f"{name} cannot be !important")
            else:
                values = [each for each in node.value if each.type not in ("whitespace", "comment")]
                self._value(node, name, values, in_page=allowed is IN_PAGES)
                if name in ("color", "background", "background-color"):
                    colour = _colour(values)
                    if colour is None:
                        self._say(
                            node, f"{name} is one colour: #rrggbb, a name, rgb() or one of {', '.join(VARIABLES)}"
                        )
                    else:
                        colours["color" if name == "color" else "ground"] = colour
        if colours:
            ink = colours.get("color", SOFT if "ground" in colours else INK)
            if contrast(ink, colours.get("ground", WHITE)) < CONTRAST_MIN - 0.01:
                self._say(rule, f"letters need a contrast of {CONTRAST_MIN} to 1: say color and background in one rule")

    def _value(self, node: Any, name: str, values: Nodes, *, in_page: bool) -> None:
        for value in values:
            kind = value.type
            if kind == "ident":
                wanted = IDENTS.get(name)
                said = value.lower_value
                if (wanted is not None and said not in wanted) or (said in NEVER):
                    self._say(node, f"{name}: {said[:40]} is not for templates here")
            elif kind in ("dimension", "percentage", "number"):
                unit = "%" if kind == "percentage" else value.lower_unit if kind == "dimension" else ""
                if not (_in_page(value.value, unit) if in_page else _fits(name, value.value, unit)):
                    self._say(node, f"{name}: {value.representation[:20]} is too small, too large, or of no unit here")
            elif kind == "hash" or (kind == "literal" and value.value in ",/"):
                continue
            elif kind != "function" or value.lower_name not in ("rgb", "hsl", "var"):
                shown = tinycss2.serialize([value])[:40]
                self._say(node, f"{name}: {shown} is not for templates here")
            elif value.lower_name == "var" and _variable(value) is None:
                self._say(node, f"{name}: only {', '.join(VARIABLES)} are there")

    def _say(self, node: Any, text: str) -> None:
        self.problems.append(Problem("css", text, node.source_line))


def _fits(name: str, value: float, unit: str) -> bool:
    if name == "font-size":
        return unit in LETTERS and LETTERS[unit] <= value <= LETTERS[unit] * 12
    if name == "letter-spacing":
        return unit in ("em", "") and -0.03 <= value <= 0.5
    if name == "line-height":
        return (unit in ("", "em") and 1 <= value <= 3) or (unit == "%" and 100 <= value <= 300)
    if name in ("columns", "column-count"):
        return unit == "" and 1 <= value <= 3
    if name in ("width", "max-width", "min-width"):
        least = LENGTHS.get(unit, 0) / 8
        return unit in LENGTHS and unit != "" and least <= value <= (100 if unit == "%" else LENGTHS[unit] * WIDE)
    if name in ("height", "max-height"):
        return unit in LENGTHS and unit not in ("", "%") and 0 < value <= LENGTHS[unit] * 2
    return unit in LENGTHS and 0 <= value <= LENGTHS[unit]


def _in_page(value: float, unit: str) -> bool:
    return unit in PAGE_MM and PAGE_MIN <= value * PAGE_MM[unit] <= PAGE_MAX


def _colour(values: Nodes) -> str | None:
    """As #rrggbb; None for what is no plain colour without transparency."""
    if len(values) != 1:
        return None
    if values[0].type == "function" and values[0].lower_name == "var":
        return _variable(values[0])
    found = parse_color(values[0])
    if found is None or isinstance(found, str) or found[3] != 1:
        return None
    return "#" + "".join(f"{min(255, max(0, round(part * 255))):02x}" for part in found[:3])


def _variable(value: Any) -> str | None:
    said = [each for each in value.arguments if each.type != "whitespace"]
    return VARIABLES.get(said[0].value) if len(said) == 1 and said[0].type == "ident" else None
