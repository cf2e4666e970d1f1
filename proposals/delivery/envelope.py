"""A letter as a message (RFC 5322): whom it is from and to, and the headers that machines read (pure).

Nothing that people wrote can end a header and begin another: names lose their line ends and controls, and an address
that is not plainly one is refused. A message is ASCII on the wire, whatever it says.
"""

import re
from datetime import UTC, datetime
from email import policy
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime, parseaddr
from hashlib import sha256

from msgspec import Struct

from proposals.delivery.letter import Letter, bare, html_of, text_of
from sfa.core.errors import Refused

ADDRESS_INVALID = "address_invalid"
NAME_MAX, ADDRESS_MAX, LOCAL_MAX = 100, 254, 64
_LOCAL = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*")
_DOMAIN = re.compile(r"([A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)*[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?")
_POLICY = policy.SMTP.clone(cte_type="7bit", max_line_length=76)


class Envelope(Struct, frozen=True, kw_only=True):
    """`sender` is the address that bounces go to. `stop` is where one click ends reminders; `automatic` says that no
    person sent it this moment. `at` is in milliseconds."""

    message_id: str
    at: int
    sender: str
    sender_name: str
    to: str
    to_name: str
    reply_to: str = ""
    reply_name: str = ""
    stop: str = ""
    automatic: bool = False


def message_of(letter: Letter, envelope: Envelope) -> bytes:
    """Refuses an address that is none."""
    made = EmailMessage(policy=_POLICY)
    made["Message-ID"] = envelope.message_id
    made["Date"] = format_datetime(datetime.fromtimestamp(envelope.at / 1000, UTC))
    made["From"] = mailbox(envelope.sender_name, envelope.sender)
    made["To"] = mailbox(envelope.to_name, envelope.to)
    if address_of(envelope.reply_to) is not None:
        made["Reply-To"] = mailbox(envelope.reply_name, envelope.reply_to)
    made["Subject"] = letter.subject
    if envelope.automatic:
        made["Auto-Submitted"] = "auto-generated"
    if envelope.stop:
        made["List-Unsubscribe"] = f"<{envelope.stop}>"
        if envelope.stop.startswith("https://"):  # RFC 8058 knows no other
            made["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    made.set_content(text_of(letter), cte="quoted-printable")
    made.add_alternative(html_of(letter), subtype="html", cte="quoted-printable")
    made["Content-Language"] = letter.language  # after the parts, which take headers of content with them
    made.set_boundary(f"=_{sha256(envelope.message_id.encode()).hexdigest()[:32]}")
    return made.as_bytes()


def mailbox(name: str, address: str) -> Address:
    found = address_of(address)
    if found is None:
        raise Refused("field_invalid", "this is no e-mail address", field="email")
    return Address(display_name=plain_name(name), addr_spec=found)


def plain_name(name: str) -> str:
    """As a header can say it: one line, no controls."""
    kept = "".join(character if character.isprintable() else " " for character in bare(name))
    return " ".join(kept.split())[:NAME_MAX].strip()


def address_of(said: str) -> str | None:
    """The address as it goes over the wire, a domain of any script in its ASCII form; None for what is none. Quoted
    and non-ASCII names before the @ are not taken: hardly any server does."""
    local, at, domain = said.strip().rpartition("@")
    try:
        ascii_domain = domain.encode("idna").decode("ascii").lower() if not domain.isascii() else domain
    except UnicodeError:
        return None
    found = f"{local}@{ascii_domain}"
    if not at or len(found) > ADDRESS_MAX or len(local) > LOCAL_MAX:
        return None
    return found if _LOCAL.fullmatch(local) and _DOMAIN.fullmatch(ascii_domain) else None


def sender_of(mail_from: str, user: str, host: str) -> tuple[str, str]:
    """(name, address) of `SFA_MAIL_FROM`; without one the mail server's user, at its host where it is no address.
    `setting_invalid` where that is no address."""
    name, address = parseaddr(mail_from) if mail_from else ("", user if "@" in user else f"{user or 'sales'}@{host}")
    found = address_of(address)
    if found is None:
        raise Refused("setting_invalid", "SFA_MAIL_FROM: this is no e-mail address", setting="SFA_MAIL_FROM")
    return plain_name(name), found
