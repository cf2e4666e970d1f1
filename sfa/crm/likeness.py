"""How alike two customers or two contacts are (S30): pure.

A row becomes a `Face`: its name without accents, case, punctuation and legal form, its telephone numbers as national
numbers, mail domains that belong to a company, and its place. Rows that share no block are never compared, so the work
grows with the rows and not with their pairs. A score says how alike, from 0 to 10000; unknown evidence counts for
nothing, neither for nor against.
"""

import re
from collections.abc import Mapping
from typing import Any

import phonenumbers
from msgspec import Struct
from rapidfuzz import fuzz

from sfa.core.names import plain

SUGGESTED_FROM_BP = 8_500
NAME_FROM = 0.7  # below it nothing else makes two names one
LEGAL_FORMS = frozenset(
    "ab ag as bv co corp eirl gmbh inc kg kk lda llc ltd nv oy plc sa sarl sas sau sl slu spa srl".split()  # noqa: SIM905
)
EVERYBODYS_DOMAINS = frozenset(
    ("gmail.com", "gmx.de", "hotmail.com", "icloud.com", "live.com", "outlook.com", "web.de", "yahoo.com")
)
PHONE_DIGITS = range(6, 16)
WEIGHTS = {"name": 60, "phone": 25, "email": 25, "domain": 15, "place": 10, "account": 15}


class Face(Struct, frozen=True):
    """What is compared of a row. Sets are empty, texts are "", where nothing is known."""

    name: str
    phones: frozenset[str] = frozenset()
    emails: frozenset[str] = frozenset()
    domains: frozenset[str] = frozenset()
    place: str = ""
    account: str = ""


class Likeness(Struct, frozen=True):
    """`reasons` are what speaks for it, the name first."""

    score_bp: int
    reasons: tuple[str, ...]


def plain_name(text: str) -> str:
    """A name without its legal form, unless nothing else is left."""
    undotted = re.sub(r"\b(\w)\.(?=\w\b)", r"\1", text)  # S.L. is SL
    words = plain(undotted).split()
    return " ".join([w for w in words if w not in LEGAL_FORMS] or words)


def national_number(text: str | None, country: str | None) -> str:
    """A telephone number as its national digits, "" where it is none; written with or without country code."""
    if not text:
        return ""
    try:
        found = str(phonenumbers.parse(text, country).national_number)
    except phonenumbers.NumberParseException:
        found = re.sub(r"\D", "", text).lstrip("0")
    return found if len(found) in PHONE_DIGITS else ""


def _domain(text: str | None) -> str:
    host = re.sub(r"^https?://", "", (text or "").strip().lower()).rpartition("@")[2]
    host = re.split(r"[/:?#]", host, maxsplit=1)[0].removeprefix("www.")
    return host if "." in host and host not in EVERYBODYS_DOMAINS else ""


def face_of(row: Mapping[str, Any], country: str | None = None) -> Face:
    """Of an account or a contact, as its row says."""
    region = row.get("country") or country
    numbers = (national_number(row.get(field), region) for field in ("phone", "mobile"))
    return Face(
        name=plain_name(row["name"]),
        phones=frozenset(number for number in numbers if number),
        emails=frozenset(e.strip().lower() for e in (row.get("email"),) if e),
        domains=frozenset(d for d in (_domain(row.get("email")), _domain(row.get("website"))) if d),
        place=plain(row.get("postal_code") or row.get("city") or ""),
        account=row.get("account_key") or "",
    )


def blocks(face: Face) -> frozenset[str]:
    """Names of the heaps in which the row is looked for: two rows that share none are not compared."""
    words = {f"w:{word[:12]}" for word in face.name.split() if len(word) >= 4}
    start = {f"s:{face.name.replace(' ', '')[:6]}"} if face.name else set()
    numbers = {f"p:{number}" for number in face.phones}
    return frozenset(words | start | numbers | {f"e:{e[:60]}" for e in face.emails})


def likeness(one: Face, two: Face) -> Likeness:
    """Symmetric; 10000 for a row and itself."""
    name = max(fuzz.token_sort_ratio(one.name, two.name), fuzz.ratio(one.name, two.name)) / 100
    evidence = {
        "phone": _shared(one.phones, two.phones),
        "email": _shared(one.emails, two.emails),
        "domain": _shared(one.domains, two.domains),
        "place": _same(one.place, two.place),
        "account": _same(one.account, two.account),
    }
    known = {what: found for what, found in evidence.items() if found is not None}
    weight = WEIGHTS["name"] + sum(WEIGHTS[what] for what in known)
    total = WEIGHTS["name"] * name + sum(WEIGHTS[what] for what, found in known.items() if found)
    reasons = ("name", *(what for what, found in known.items() if found))
    return Likeness(int(10_000 * total / weight) if name >= NAME_FROM else 0, reasons if name >= NAME_FROM else ())


def _shared(one: frozenset[str], two: frozenset[str]) -> bool | None:
    return None if not one or not two else not one.isdisjoint(two)


def _same(one: str, two: str) -> bool | None:
    return None if not one or not two else one == two
