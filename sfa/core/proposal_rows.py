"""What rows of proposals, their lines and their templates must be like: the lists and objects in them (pure).

A row is held to the values that pricing takes (`sfa.core.pricing.values`): whatever was stored can be read as an offer,
so that a proposal is refused when it is written and not when it is printed. What lines are together (groups, sections,
amounts) is asked when an offer is made of them.
"""

from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from typing import Any

import msgspec
from msgspec import Struct

from sfa.core.broken import Broken
from sfa.core.colours import CONTRAST_MIN, PAPER, contrast
from sfa.core.ids import is_key
from sfa.core.pricing.values import Deposit, Discount, Instalment

WHOLE_BP = 10_000
LANGUAGES = ("en", "es", "pt-BR")
PICTURES_MAX, ALT_MAX, TITLE_MAX, TEXT_MAX, ADDRESS_MAX = 20, 500, 500, 50_000, 10
CONSENT_MAX = 2_000
BRAND = ("logo", "logo_alt", "primary", "accent", "footer")
SELLER = ("name", "address", "email", "phone", "tax_id", "website")
TEXTS = ("summary", "terms", "closing")
CONSENT = "consent"  # of a template alone: what a buyer agrees to by signing
_HEX = frozenset("0123456789abcdef")
Row = Mapping[str, Any]


def proposal(row: Row) -> Broken | None:
    return (
        _values("discounts", row["discounts"], Discount)
        or _values("deposit", [row["deposit"]] if row["deposit"] is not None else [], Deposit)
        or _values("instalments", row["instalments"], Instalment)
        or _whole(row["instalments"])
        or _sections(row["sections"])
        or _once("enclosures", row["enclosures"])
    )


def line(row: Row) -> Broken | None:
    if (row["tax_name"] is None) != (row["tax_rate_bp"] is None):
        return _broken("tax_name", "a tax has a name and a rate")
    least, most, step = (row[f"quantity_{name}"] for name in ("min", "max", "step"))
    if least is not None and most is not None and Decimal(least) > Decimal(most):
        return _broken("quantity_min", "the least quantity is not more than the most")
    if step is not None and Decimal(step) == 0:
        return _broken("quantity_step", "a step is not zero")
    return _values("discounts", row["discounts"], Discount)


def template(row: Row) -> Broken | None:
    return _brand(row["brand"]) or _seller(row["seller"]) or _texts(row["texts"])


def _broken(field: str, text: str) -> Broken:
    return Broken("proposal_invalid", f"{field}: {text}", {"field": field})


def _values(field: str, found: Iterable[Any], kind: type[Struct]) -> Broken | None:
    for value in found:
        unknown = sorted(set(value) - set(kind.__struct_fields__))
        if unknown:
            return _broken(field, f"{unknown[0][:50]} is none of {', '.join(kind.__struct_fields__)}")
        try:
            read = msgspec.convert(value, kind)
        except msgspec.ValidationError as error:
            return _broken(field, str(error))
        if kind is not Instalment and (read.share_bp is None) == (read.amount_minor is None):  # type: ignore[attr-defined]
            return _broken(field, "say either share_bp or amount_minor")
    return None


def _whole(instalments: Iterable[Row]) -> Broken | None:
    total = sum(each["share_bp"] for each in instalments)
    return (
        _broken("instalments", f"they total {total} of {WHOLE_BP} basis points") if total not in (0, WHOLE_BP) else None
    )


def _once(field: str, keys: Iterable[str]) -> Broken | None:
    found = list(keys)
    return _broken(field, "name each one once") if len(set(found)) < len(found) else None


def _sections(sections: Iterable[Any]) -> Broken | None:
    keys = []
    for section in sections:
        if not {"key", "title"} <= set(section) <= {"key", "title", "text", "pictures"} or not is_key(section["key"]):
            return _broken("sections", "a section is {key, title, text, pictures}")
        if not _text(section["title"], TITLE_MAX) or not _text(section.get("text", ""), TEXT_MAX):
            return _broken("sections", f"titles have at most {TITLE_MAX} characters, texts {TEXT_MAX}")
        pictures = section.get("pictures", [])
        if not isinstance(pictures, list) or len(pictures) > PICTURES_MAX or not all(_is_picture(p) for p in pictures):
            return _broken("sections", f"pictures are {{sha256, alt}}, at most {PICTURES_MAX} in a section")
        keys.append(section["key"])
    return _once("sections", keys)


def _text(value: Any, most: int) -> bool:
    return isinstance(value, str) and len(value) <= most


def _is_picture(value: Any) -> bool:
    return (
        isinstance(value, dict)
        and set(value) == {"sha256", "alt"}
        and is_digest(value["sha256"])
        and (_text(value["alt"], ALT_MAX))
    )


def is_digest(value: Any) -> bool:
    return isinstance(value, str) and len(value) == 64 and _HEX.issuperset(value)


def is_colour(value: Any) -> bool:
    return isinstance(value, str) and len(value) == 7 and value[0] == "#" and _HEX.issuperset(value[1:])


def _brand(brand: Row) -> Broken | None:
    if set(brand) - set(BRAND):
        return _broken("brand", f"a brand is {{{', '.join(BRAND)}}}")
    if brand.get("logo") is not None and not is_digest(brand["logo"]):
        return _broken("brand", "a logo is named by the sha256 of a stored picture")
    if not all(is_colour(brand.get(name, "#000000")) for name in ("primary", "accent")):
        return _broken("brand", "colours are #rrggbb, in small letters")
    for name in ("primary", "accent"):
        found = contrast(brand.get(name, "#000000"), PAPER)
        if found < CONTRAST_MIN:
            return _broken("brand", f"{name} has a contrast of {found:.1f} to 1 on paper: {CONTRAST_MIN} is needed")
    if not all(_text(brand.get(name, ""), ALT_MAX) for name in ("logo_alt", "footer")):
        return _broken("brand", f"texts have at most {ALT_MAX} characters")
    return None


def _seller(seller: Row) -> Broken | None:
    if set(seller) - set(SELLER):
        return _broken("seller", f"a seller is {{{', '.join(SELLER)}}}")
    address = seller.get("address", [])
    if not isinstance(address, list) or len(address) > ADDRESS_MAX:
        return _broken("seller", f"an address is a list of at most {ADDRESS_MAX} lines")
    said = [*address, *(value for name, value in seller.items() if name != "address")]
    return None if all(_text(value, ALT_MAX) for value in said) else _broken("seller", f"texts of at most {ALT_MAX}")


def _texts(texts: Row) -> Broken | None:
    for language, said in texts.items():
        if language not in LANGUAGES or not isinstance(said, dict) or set(said) - {*TEXTS, CONSENT}:
            return _broken("texts", f"texts are {{{' | '.join(LANGUAGES)}: {{{', '.join((*TEXTS, CONSENT))}}}}}")
        if not all(_text(value, TEXT_MAX) for value in said.values()):
            return _broken("texts", f"a text has at most {TEXT_MAX} characters")
        if not _text(said.get(CONSENT, ""), CONSENT_MAX):
            return _broken("texts", f"a consent has at most {CONSENT_MAX} characters")
    return None


RULES: dict[str, Callable[[Row], Broken | None]] = {
    "proposals": proposal,
    "proposal_lines": line,
    "proposal_templates": template,
}
