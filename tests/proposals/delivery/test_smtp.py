"""Where the mail server is, and what its answers mean."""

import ssl

import pytest
from aiosmtplib import (
    SMTPAuthenticationError,
    SMTPConnectError,
    SMTPDataError,
    SMTPNotSupported,
    SMTPReadTimeoutError,
    SMTPRecipientRefused,
    SMTPRecipientsRefused,
    SMTPResponseException,
    SMTPSenderRefused,
    SMTPServerDisconnected,
)
from hypothesis import given
from hypothesis import strategies as st

from proposals.delivery.smtp import Later, Server, Unset, judged, server_of
from proposals.delivery.smtp import Refused as Bounced
from sfa.core.errors import Refused

CARL = "carl@buyer.example"


@pytest.mark.parametrize(
    ("url", "server"),
    [
        ("smtp://mx.example", Server(host="mx.example", port=587)),
        ("smtp://mx.example:25?tls=never", Server(host="mx.example", port=25, tls="never")),
        ("smtps://mx.example", Server(host="mx.example", port=465, tls="at_once")),
        ("smtp://me%40company.example:p%3Aw%40@mx.example",
         Server(host="mx.example", port=587, user="me@company.example", password="p:w@", tls="require")),
        ("smtp://me:pw@127.0.0.1?tls=never",
         Server(host="127.0.0.1", port=587, user="me", password="pw", tls="never")),
    ],
)  # fmt: skip
def test_a_url_names_the_server(url: str, server: Server) -> None:
    """Nothing is logged in to without TLS unless somebody said so."""
    assert server_of(url) == server


@pytest.mark.parametrize(
    "url",
    ["http://mx", "smtp://", "smtp://mx:99999", "smtp://mx/path", "smtp://mx?tls=maybe", "smtps://mx?tls=never",
     "smtp://mx?other=1", "smtp://a%0d%0ab:hidden@mx", "smtp://[::1"],
)  # fmt: skip
def test_a_url_that_names_none_is_refused_without_saying_it(url: str) -> None:
    with pytest.raises(Refused) as refused:
        server_of(url)
    assert refused.value.code == "setting_invalid"
    assert "hidden" not in str(refused.value.text)


@pytest.mark.parametrize(
    ("error", "kind", "code"),
    [
        (SMTPRecipientsRefused([SMTPRecipientRefused(550, "5.1.1 unknown", CARL)]), Bounced, "5.1.1"),
        (SMTPRecipientsRefused([SMTPRecipientRefused(550, "unknown", CARL)]), Bounced, "550"),
        (SMTPRecipientsRefused([SMTPRecipientRefused(450, "4.2.0 greylisted", CARL)]), Later, "4.2.0"),
        (SMTPDataError(554, "5.6.0 no"), Bounced, "5.6.0"),
        (SMTPDataError(554, "5.7.1 spam"), Later, "5.7.1"),
        (SMTPRecipientsRefused([SMTPRecipientRefused(550, "5.7.26 SPF", CARL)]), Later, "5.7.26"),
        (SMTPRecipientsRefused([SMTPRecipientRefused(550, "5.70.1 odd", CARL)]), Bounced, "5.70.1"),
        (SMTPDataError(452, "full"), Later, "452"),
        (SMTPAuthenticationError(535, "5.7.8 no"), Unset, "5.7.8"),
        (SMTPAuthenticationError(454, "4.7.0 later"), Later, "4.7.0"),
        (SMTPSenderRefused(553, "5.7.1 not yours", "x@y"), Unset, "5.7.1"),
        (SMTPResponseException(421, "closing"), Later, "421"),
        (SMTPNotSupported("STARTTLS"), Unset, "mail_tls"),
        (ssl.SSLCertVerificationError("self-signed"), Unset, "mail_tls"),
        (SMTPConnectError("refused"), Later, "mail_unreachable"),
        (SMTPServerDisconnected("gone"), Later, "mail_unreachable"),
        (SMTPReadTimeoutError("slow"), Later, "mail_timeout"),
        (TimeoutError(), Later, "mail_timeout"),
        (ConnectionResetError(), Later, "mail_unreachable"),
    ],
)  # fmt: skip
def test_what_an_answer_means(error: Exception, kind: type, code: str) -> None:
    found = judged(error)
    assert type(found) is kind
    assert getattr(found, "code", None) == code


@given(st.integers(400, 599), st.text(max_size=400))
def test_whatever_a_server_says_is_a_short_code_and_one_line(code: int, text: str) -> None:
    found = judged(SMTPRecipientsRefused([SMTPRecipientRefused(code, text, CARL)]))
    assert isinstance(found, (Bounced, Later))
    is_policy = found.code.startswith("5.7.")
    assert isinstance(found, Bounced if code >= 500 and not is_policy else Later)
    assert len(found.code) <= 11
    assert found.problem.isprintable()
    assert len(found.problem) <= 300
