"""`/verify` as a page: one HTML text in the visitor's language, without a script, that reaches this server alone."""

import hashlib
from base64 import b64encode
from functools import lru_cache
from typing import Any

from markupsafe import Markup

from proposals.evidence.certificate import environment, moment, page_file
from proposals.evidence.verifying import Verdict
from proposals.evidence.words import say_in
from proposals.templates.rich import clean

# State -> (heading, what it means); the headings are what a hurried reader sees.
SAID: dict[str, tuple[str, str]] = {
    "genuine": ("Genuine and unchanged", "This is byte by byte a file that was sealed here."),
    "original": (
        "Genuine and unchanged",
        "This is byte by byte the offer as it was sent, before it was accepted. It has no seal.",
    ),
    "known": ("Known", "A document with this SHA-256 was sealed here."),
    "unlisted": (
        "Sealed by us, but not on our list",
        "The seal is of our key and whole, but this server does not know the file. Ask whoever sent it to you.",
    ),
    "changed": (
        "Changed after it was sealed",
        "The seal is of our key, and what it covers is not what was sealed. Do not rely on this file.",
    ),
    "foreign": (
        "Not sealed by us",
        "The file has a seal or signature of somebody else's key, whatever name it says. We know nothing of it.",
    ),
    "unsealed": ("Not sealed by us", "The file has no seal, and we do not know it."),
    "unknown": ("Not known", "No document with this SHA-256 was sealed here."),
    "unreadable": (
        "This cannot be read",
        "This is no PDF, or one that is damaged, encrypted or made to be hard to read.",
    ),
}
KINDS = {"final": "signed offer", "certificate": "certificate of acceptance", "offer": "offer as it was sent"}


@lru_cache(maxsize=1)
def style() -> str:
    return page_file("verify.css")


@lru_cache(maxsize=1)
def headers() -> dict[str, str]:
    digest = b64encode(hashlib.sha256(style().encode()).digest()).decode()
    policy = (
        f"default-src 'none'; style-src 'sha256-{digest}'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    )
    return {
        "content-type": "text/html; charset=utf-8",
        "content-security-policy": policy,
        "referrer-policy": "no-referrer",
        "x-content-type-options": "nosniff",
        "x-robots-tag": "noindex",
        "cache-control": "private, no-store",
        "vary": "accept, accept-language",
    }


def page(language: str, verdict: Verdict | None = None, problem: str = "") -> bytes:
    """The form, with what was found of the last file, or what is wrong with it (a key of the words)."""
    say = say_in(language)
    values: dict[str, Any] = {
        "_": say,
        "language": language,
        "style": Markup(style()),
        "problem": say(problem) if problem else "",
        "verdict": verdict,
        "heading": say(SAID[verdict.state][0]) if verdict else "",
        "meaning": say(SAID[verdict.state][1]) if verdict else "",
        "facts": _facts(verdict, language) if verdict else [],
    }
    return environment().get_template("verify.html.j2").render(values).encode()


def _facts(verdict: Verdict, language: str) -> list[tuple[str, str, bool]]:
    """(label, text, whether it is a digest); amounts are as the document writes them (R50)."""
    say, known, facts = say_in(language), verdict.known, list[tuple[str, str, bool]]()
    zone = known.zone if known is not None else "UTC"
    if known is not None:
        facts.append((say("Kind"), say(KINDS[known.kind]), False))
        facts.append((say("Offer"), f"{clean(known.number)} · {say('Version')} {known.version}", False))
        facts.append((say("Offered by"), clean(known.seller), False))
        facts.append((say("Accepted on"), moment(known.accepted_at, zone, language), False))
        facts.append((say("Accepted total"), known.total, False))
    if verdict.sealed_by is not None:
        facts.append((say("Sealed by"), clean(verdict.sealed_by), False))
    if verdict.sealed_at is not None and verdict.state in ("genuine", "unlisted"):
        how = "confirmed by a timestamp authority" if verdict.stamped else "according to the sealing server"
        facts.append((say("Sealed on"), f"{moment(verdict.sealed_at, zone, language)} ({say(how)})", False))
    if verdict.key_sha256 is not None:
        facts.append((say("Key's certificate (SHA-256)"), verdict.key_sha256, True))
    return [*facts, (say("File (SHA-256)"), verdict.sha256, True)]
