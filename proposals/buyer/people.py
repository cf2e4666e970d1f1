"""Whether somebody looked: a person who is not of the company, and no program (R51, pure).

Programs open links before people do: mail filters, previews of messages, crawlers, browsers that fetch ahead. Filters
open pages in whole browsers by now and call themselves what they like, so names are not enough: an open counts where
the page was visible for a while and somebody touched, scrolled or typed, which a browser itself vouches for.
"""

from collections.abc import Mapping

from msgspec import Struct

from sfa.db.proposal_timeline import Visitor

STAFF, SCANNER, PREFETCH, NO_INTERACTION = "staff", "scanner", "prefetch", "no_interaction"
TOO_SHORT, NOT_CURRENT, RECENT = "too_short", "not_current", "recent"
VISIBLE_S_MIN = 2
PHONE, TABLET, DESKTOP = "phone", "tablet", "desktop"

# What programs that open links say of themselves, in lower case, by what they do; docs/opens.md says who tells so.
PREVIEWS = (
    "slackbot",
    "slack-imgproxy",
    "skypeuripreview",  # Teams and Skype
    "microsoftpreview",
    "whatsapp",
    "facebookexternalhit",
    "facebookcatalog",
    "meta-externalagent",
    "twitterbot",
    "linkedinbot",
    "telegrambot",
    "discordbot",
    "pinterest/0",
    "redditbot",
    "snap url preview",
    "zoombot",
    "google-pagerenderer",
    "embedly",
    "iframely",
    "mattermost-bot",
)
FILTERS = (
    "safelinks",  # Microsoft Defender
    "ms-office",
    "msoffice",
    "microsoft office",
    "microsoft outlook",
    "bingpreview",
    "proofpoint",
    "urldefense",
    "barracuda",
    "mimecast",
    "trendmicro",
    "symantec",
    "messagelabs",
    "fireeye",
    "forcepoint",
    "sophos",
    "mcafee",
    "zscaler",
    "paloalto",
    "google-safety",
    "googleimageproxy",
    "yahoomailproxy",
    "cloudmark",
    "cisco-ironport",
    "virustotal",
    "urlscan",
)
CRAWLERS = ("bot/", "bot;", "bot)", "crawler", "spider", "slurp", "googlebot", "bingbot", "applebot", "archiver")
TOOLS = (
    "curl/",
    "wget/",
    "python-",
    "python/",
    "aiohttp",
    "httpx",
    "go-http-client",
    "java/",
    "okhttp",
    "apache-httpclient",
    "libwww-perl",
    "node-fetch",
    "axios/",
    "undici",
    "ruby",
    "php/",
    "powershell",
    "headlesschrome",
    "phantomjs",
    "electron/",
    "puppeteer",
    "playwright",
    "selenium",
    "lighthouse",
)
PROGRAMS = (*PREVIEWS, *FILTERS, *CRAWLERS, *TOOLS)
# Headers by which a browser, or what stands before it, says that nobody looks yet.
AHEAD = ("sec-purpose", "purpose", "x-purpose", "x-moz")
AHEAD_WORDS = ("prefetch", "prerender", "preview")


class Marks(Struct, frozen=True, kw_only=True):
    """What a request says of itself beside its body: `staff` where the browser has the mark of somebody who works here,
    `prefetch` where a header says that nobody looks yet (`is_ahead`)."""

    visitor: Visitor = Visitor()
    staff: bool = False
    prefetch: bool = False


class Look(Struct, frozen=True, kw_only=True):
    """How a page was looked at, until now. `current`: the buyer may still answer what it shows; `recently`: the same
    person looked at it a moment before, in another session."""

    staff: bool
    agent: str | None
    prefetch: bool
    current: bool
    seconds: int
    acted: bool
    recently: bool = False


def why_not(look: Look) -> str | None:
    """What speaks against counting it, the weightiest first; None where it counts."""
    reasons = (
        (STAFF, look.staff),
        (SCANNER, is_program(look.agent)),
        (PREFETCH, look.prefetch),
        (NOT_CURRENT, not look.current),
        (NO_INTERACTION, not look.acted),
        (TOO_SHORT, look.seconds < VISIBLE_S_MIN),
        (RECENT, look.recently),
    )
    return next((reason for reason, applies in reasons if applies), None)


def is_program(agent: str | None) -> bool:
    """Whether it says so itself. A browser always says what it is, so nothing is a program too."""
    said = (agent or "").strip().lower()
    return not said or any(name in said for name in PROGRAMS)


def is_ahead(headers: Mapping[str, str]) -> bool:
    """Whether a request was made before anybody looks; names of headers in lower case."""
    return any(word in headers.get(name, "").lower() for name in AHEAD for word in AHEAD_WORDS)


def device_of(agent: str | None) -> str | None:
    """All that is kept of what somebody looks with. An iPad says that it is a Mac, and is told as one."""
    said = (agent or "").lower()
    if not said:
        return None
    if "ipad" in said or "tablet" in said or ("android" in said and "mobile" not in said):
        return TABLET
    return PHONE if "mobile" in said or "iphone" in said else DESKTOP
