"""What mails say and how they are written: the same amounts as elsewhere, escaped, safe headers, in three languages."""

import ast
from email import message_from_bytes, policy
from email.headerregistry import Address
from email.message import EmailMessage
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import msgspec
import pytest
from babel.messages.pofile import read_po
from hypothesis import given
from hypothesis import strategies as st

from proposals.delivery import letter, mails
from proposals.delivery.envelope import Envelope, address_of, mailbox, message_of, plain_name, sender_of
from proposals.delivery.letter import html_of, text_of
from proposals.delivery.mails import Told, letter_of
from proposals.delivery.outbox import KINDS, PAUSE_MS_MAX, pause_ms
from proposals.delivery.words import FOLDER
from proposals.templates.formats import LOCALES
from proposals.templates.reading import sheet_of
from proposals.templates.words import PLACES
from sfa.core.errors import Refused
from tests.proposals import builders

DOCUMENT = builders.document()
LINK = "https://offers.example/p/0123456789abcdefghijkl"
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=60) | st.sampled_from(
    [
        "Carl\r\nBcc: all@example.com",
        "<script>alert(1)</script>",
        "%(name)s",
        "a\x00b",
        "\u202egnp.exe",
        "{0}{link}",
        '" onload=x',
    ]
)
LANGUAGES = sorted(LOCALES)


def told(kind: str = "offer", language: str = "en", **said: Any) -> Told:
    role = "rep" if kind in ("question", "declined") else "signer"
    base = {"kind": kind, "language": language, "document": DOCUMENT, "to_name": "Inés", "role": role, "link": LINK}
    return Told(**{**base, "stop": f"{LINK}/stop", **said})


def envelope(**said: Any) -> Envelope:
    base = {"message_id": "<1.a@company.example>", "at": 1_767_600_000_000, "sender": "sales@company.example"}
    return Envelope(**{**base, "sender_name": "Company", "to": "ines@buyer.example", "to_name": "Inés", **said})


def parsed(body: bytes) -> EmailMessage:
    found = message_from_bytes(body, policy=policy.default)
    assert isinstance(found, EmailMessage)
    return found


class Page(HTMLParser):
    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.addresses: list[str] = []
        self.said = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        for name, value in attrs:
            assert not name.startswith("on"), name
            if name in ("href", "src", "background", "action"):
                self.addresses.append(value or "")

    def handle_data(self, data: str) -> None:
        self.said += data


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("kind", sorted(KINDS))
def test_every_kind_is_written_in_every_language(kind: str, language: str) -> None:
    """R50: text, HTML and the PDF's own sheet say the same total."""
    made = letter_of(told(kind, language, text="Why?", reply="Because.", name="Carl"))
    text, page = text_of(made), Page(html_of(made))
    total = sheet_of(DOCUMENT).total
    assert (total in text, total in page.said) == (kind != "answer", True)
    assert DOCUMENT.number is not None
    assert DOCUMENT.number in made.subject
    assert set(page.tags) <= {"html", "head", "meta", "title", "body", "div", "table", "tr", "td", "p", "a", "br",
                              "blockquote"}  # fmt: skip
    for address in page.addresses:
        assert address in (LINK, f"{LINK}/stop")
    assert "%(" not in text + page.said


@pytest.mark.parametrize("role", ["rep", "signer", "reader"])
def test_mails_to_the_companys_own_people_have_no_link(role: str) -> None:
    for kind in ("answered", "signed"):
        made = letter_of(told(kind, role=role))
        assert (LINK in text_of(made)) is (role != "rep")
        assert (LINK in html_of(made)) is (role != "rep")


def test_the_total_that_was_accepted_is_the_one_that_is_said() -> None:
    made = letter_of(told("answered", total_minor=123_456))
    assert "€1,234.56" in text_of(made)


def test_amounts_are_written_as_the_document_writes_them_whatever_the_language() -> None:
    """R50."""
    total = sheet_of(DOCUMENT).total
    assert all(total in text_of(letter_of(told("offer", language))) for language in LANGUAGES)


def test_bytes_are_the_same_at_every_try() -> None:
    made = letter_of(told())
    assert message_of(made, envelope()) == message_of(made, envelope())


@given(TEXTS, TEXTS, TEXTS, TEXTS, st.sampled_from(sorted(KINDS)))
def test_what_people_wrote_is_neither_a_header_nor_a_tag(
    name: str, text: str, title: str, seller: str, kind: str
) -> None:
    """Whatever is written: the headers are ours, the bytes are ASCII in lines that mail servers take, and HTML has the
    elements that it has without."""
    document = msgspec.structs.replace(
        DOCUMENT,
        title=title,
        seller=msgspec.structs.replace(DOCUMENT.seller, name=seller),
        author=msgspec.structs.replace(DOCUMENT.author, name=name),
    )
    made = letter_of(told(kind, document=document, to_name=name, name=name, text=text, reply=text))
    of = envelope(
        to_name=name, sender_name=seller, reply_to="rep@company.example", reply_name=name, stop=f"{LINK}/stop"
    )
    body = message_of(made, of)
    assert all(len(line) <= 998 for line in body.split(b"\r\n"))
    assert b"\n" not in body.replace(b"\r\n", b"")
    body.decode("ascii")
    found = parsed(body)
    assert sorted(key.lower() for key in found) == sorted(
        ["message-id", "date", "from", "to", "reply-to", "subject", "list-unsubscribe", "list-unsubscribe-post",
         "content-language", "mime-version", "content-type"]
    )  # fmt: skip
    assert [each.addr_spec for each in found["To"].addresses] == ["ines@buyer.example"]
    assert [each.addr_spec for each in found["From"].addresses] == ["sales@company.example"]
    assert not found.defects
    assert "script" not in Page(html_of(made)).tags
    assert "\u202e" not in text_of(made) + html_of(made)


@given(st.text(max_size=300))
def test_an_address_is_plainly_one_or_none(text: str) -> None:
    for said in (text, f"{text}@example.com", f"carl@{text}"):
        found = address_of(said)
        if found is not None:
            assert found.isascii()
            assert not set(found) & set(' \r\n\t<>,;:"()[]\\')
            assert Address(addr_spec=found).addr_spec == found


@pytest.mark.parametrize(
    ("said", "found"),
    [
        ("carl@buyer.example", "carl@buyer.example"),
        (" carl@buyer.example ", "carl@buyer.example"),
        ("carl@büro.example", "carl@xn--bro-hoa.example"),
        ("o'neil+offer@a-b.co", "o'neil+offer@a-b.co"),
        ("carl", None),
        ("@buyer.example", None),
        ("carl@", None),
        ("carl@@buyer.example", None),
        ("car l@buyer.example", None),
        ("carl@-buyer.example", None),
        ("carl@buyer..example", None),
        ("cärl@buyer.example", None),
        (f"{'c' * 65}@buyer.example", None),
    ],
)
def test_addresses(said: str, found: str | None) -> None:
    assert address_of(said) == found


def test_what_is_no_address_is_refused_and_a_sender_is_needed() -> None:
    with pytest.raises(Refused):
        mailbox("Carl", "nowhere")
    with pytest.raises(Refused, match="SFA_MAIL_FROM"):
        sender_of("Company <nowhere>", "", "mx.example")
    assert sender_of("Company S.L. <sales@company.example>", "", "mx") == ("Company S.L.", "sales@company.example")
    assert sender_of("", "me@company.example", "mx.example") == ("", "me@company.example")
    assert sender_of("", "", "mx.example") == ("", "sales@mx.example")


def test_one_click_is_offered_where_the_address_is_safe() -> None:
    """RFC 8058 asks for HTTPS."""
    made = letter_of(told())
    plain = parsed(message_of(made, envelope(stop="http://127.0.0.1:8080/p/x/stop")))
    assert (plain["List-Unsubscribe"] is None, plain["List-Unsubscribe-Post"]) == (False, None)


@given(st.integers(-3, 10_000))
def test_pauses_grow_to_six_hours_and_no_further(attempts: int) -> None:
    assert 30_000 <= pause_ms(attempts) <= pause_ms(attempts + 1) <= PAUSE_MS_MAX


@given(TEXTS)
def test_a_name_in_a_header_is_one_line(name: str) -> None:
    assert plain_name(name).isprintable()


# -- words ------------------------------------------------------------------------------------------------------------


def said_in_code() -> set[str]:
    found = set()
    for module in (mails, letter):
        for node in ast.walk(ast.parse(Path(str(module.__file__)).read_text("utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "attr", getattr(node.func, "id", "")) == "say":
                found |= {str(each.value) for each in node.args[:1] if isinstance(each, ast.Constant)}
    return found


@pytest.mark.parametrize("language", LANGUAGES)
def test_catalogues_hold_what_mails_say_and_nothing_else(language: str) -> None:
    path = FOLDER / LOCALES[language] / "LC_MESSAGES" / "mails.po"
    with path.open("rb") as stream:
        messages = {str(each.id): each for each in read_po(stream, abort_invalid=True) if each.id}
    assert set(messages) == said_in_code()
    for key, message in messages.items():
        said = str(message.string)
        assert said.strip() == said != ""
        assert not message.fuzzy
        assert set(PLACES.findall(said)) == set(PLACES.findall(key))
        assert (said == key) is (language == "en" or key == "Total"), key
