"""The company's mail server: where it is, and what its answer to a mail means.

Four things may come of a try. `Taken`: the server has the mail. `Later`: nobody is to blame and it may go another time
(no connection, too slow, 4xx), or a policy stands in its way (5.7.x), which says nothing of the address. `Refused`:
this mail never goes (another 5xx of the recipient or of the content). `Unset`: the server would refuse any mail (login,
TLS, the sender): somebody has to set it right, and mails wait. A try has an end after `TRY_S`, long before others would
think that this process is dead.
"""

import asyncio
import ssl
from contextlib import suppress
from typing import Literal
from urllib.parse import parse_qs, unquote, urlsplit

import aiosmtplib
from aiosmtplib import (
    SMTPAuthenticationError,
    SMTPConnectResponseError,
    SMTPDataError,
    SMTPException,
    SMTPHeloError,
    SMTPNotSupported,
    SMTPRecipientRefused,
    SMTPRecipientsRefused,
    SMTPResponseException,
    SMTPSenderRefused,
)
from msgspec import Struct

from sfa.core import errors

STEP_S, TRY_S, GOODBYE_S = 20.0, 60.0, 2.0
PORTS = {"smtp": 587, "smtps": 465}
PROBLEM_MAX = 300
POLICY = "5.7."  # of RFC 3463: security or policy
Tls = Literal["offered", "require", "never", "at_once"]


class Server(Struct, frozen=True, kw_only=True):
    """`tls`: from the first byte (`at_once`), by STARTTLS where it is offered or always (`require`), or never. A login
    is said to a server that is proved to be the right one, unless TLS is turned off."""

    host: str
    port: int
    user: str = ""
    password: str = ""
    tls: Tls = "offered"


class Taken(Struct, frozen=True):
    """The server has it."""


class Later(Struct, frozen=True):
    code: str
    problem: str


class Refused(Struct, frozen=True):
    """`code` is the enhanced status (`5.1.1`) or the reply (`550`)."""

    code: str
    problem: str


class Unset(Struct, frozen=True):
    code: str
    problem: str


Result = Taken | Later | Refused | Unset


def server_of(url: str) -> Server:
    """Of `SFA_SMTP_URL`; `setting_invalid` for what names no server, without saying what was there."""
    try:
        parts = urlsplit(url)
        asked = parse_qs(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query))
        port = parts.port
    except ValueError:
        raise _invalid("it is not a URL") from None
    if parts.scheme not in PORTS or not parts.hostname or parts.path not in ("", "/") or set(asked) - {"tls"}:
        raise _invalid("smtp://user:password@host:port, or smtps://…, with ?tls=require or ?tls=never")
    wish = asked.get("tls", [""])[-1]
    if wish not in ("", "require", "never") or (wish == "never" and parts.scheme == "smtps"):
        raise _invalid("tls is require or never")
    user, password = unquote(parts.username or ""), unquote(parts.password or "")
    if any(ord(character) < 32 for character in user + password):
        raise _invalid("user and password have no control characters")
    tls: Tls = "offered"
    if parts.scheme == "smtps":
        tls = "at_once"
    elif wish == "never":
        tls = "never"
    elif wish == "require" or user:
        tls = "require"
    return Server(host=parts.hostname, port=port or PORTS[parts.scheme], user=user, password=password, tls=tls)


def _invalid(text: str) -> errors.Refused:
    return errors.Refused("setting_invalid", f"SFA_SMTP_URL: {text}", setting="SFA_SMTP_URL")


async def send(server: Server, sender: str, to: str, message: bytes) -> Result:
    """One try."""
    client = aiosmtplib.SMTP(
        hostname=server.host,
        port=server.port,
        username=server.user or None,
        password=server.password or None,
        use_tls=server.tls == "at_once",
        start_tls={"offered": None, "require": True, "never": False, "at_once": False}[server.tls],
        local_hostname=sender.rpartition("@")[2],
        timeout=STEP_S,
    )
    try:
        async with asyncio.timeout(TRY_S):
            await client.connect()
            await client.sendmail(sender, [to], message)
    except Exception as error:
        return judged(error)
    else:
        with suppress(Exception):  # it was taken: whatever is wrong with the goodbye
            await client.quit(timeout=GOODBYE_S)
        return Taken()
    finally:
        client.close()


def judged(error: Exception) -> Result:
    """What an error of a try means (pure)."""
    match error:
        case SMTPRecipientsRefused():
            return judged(error.recipients[0])
        case SMTPRecipientRefused() | SMTPDataError() if error.code >= 500 and _status(error).startswith(POLICY):
            return Later(_status(error), _problem(error))
        case SMTPRecipientRefused() | SMTPDataError() if error.code >= 500:
            return Refused(_status(error), _problem(error))
        case SMTPAuthenticationError() | SMTPSenderRefused() | SMTPHeloError() | SMTPConnectResponseError() if (
            error.code >= 500
        ):
            return Unset(_status(error), _problem(error))
        case SMTPResponseException():
            return Later(_status(error), _problem(error))
        case SMTPNotSupported() | ssl.SSLError():
            return Unset("mail_tls", _problem(error))
        case TimeoutError():
            return Later("mail_timeout", "the mail server did not answer in time")
        case OSError():
            cause = error.__cause__ or error.__context__
            return Unset("mail_tls", _problem(cause)) if isinstance(cause, ssl.SSLError) else _away(error)
        case SMTPException() if "tls" in str(error).lower() or "auth" in str(error).lower():
            return Unset("mail_tls", _problem(error))
        case _:
            return _away(error)


def _away(error: Exception) -> Later:
    return Later("mail_unreachable", _problem(error))


def _status(error: SMTPResponseException) -> str:
    """The enhanced status of RFC 3463, where the server says one."""
    word = (str(error.message).split() or [""])[0]
    digits = word.split(".")
    plain = len(digits) == 3 and all(part.isascii() and part.isdecimal() and len(part) <= 3 for part in digits)
    return word if plain and word[0] in "245" else str(error.code)


def _problem(error: BaseException) -> str:
    said = str(getattr(error, "message", "")) or str(error) or type(error).__name__
    return " ".join("".join(c if c.isprintable() else " " for c in said).split())[:PROBLEM_MAX]
