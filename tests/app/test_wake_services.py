"""Wakes by the settings: off, on, or a mistake that is named and never repeated."""

import re
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner

from sfa.app.cli_serve import vapid_keys
from sfa.app.settings import Settings
from sfa.app.wake_services import wake_services
from sfa.core.clock import VirtualClock
from sfa.core.errors import Refused
from sync.wakes.apns import APNS_URL, Apns
from sync.wakes.webpush import WebPush, make_keys
from tests.builders import NOW
from tests.sync.wakes.pushes import pem_of_ec, pem_of_rsa

CLOCK = VirtualClock(NOW)


def settings(folder: Path, **changed: str) -> Settings:
    """Everything is configured."""
    (folder / "apns.p8").write_text(pem_of_ec())
    account = {"type": "service_account", "project_id": "p", "private_key_id": "1", "client_email": "a@example.com"}
    (folder / "fcm.json").write_bytes(msgspec.json.encode({**account, "private_key": pem_of_rsa()}))
    variables = {
        "SFA_VAPID_PRIVATE_KEY": make_keys()[0],
        "SFA_VAPID_CONTACT": "mailto:operations@example.com",
        "SFA_APNS_KEY_FILE": str(folder / "apns.p8"),
        "SFA_APNS_KEY_ID": "KEY1234567",
        "SFA_APNS_TEAM_ID": "TEAM123456",
        "SFA_APNS_TOPIC": "com.example.sfa",
        "SFA_FCM_CREDENTIALS_FILE": str(folder / "fcm.json"),
    }
    return Settings.from_environment({**variables, **changed})


def test_wakes_are_off_by_default() -> None:
    assert wake_services(Settings(), CLOCK) == []


def test_what_is_configured_is_there(tmp_path: Path) -> None:
    assert [service.name for service in wake_services(settings(tmp_path), CLOCK)] == ["webpush", "apns", "fcm"]
    apple = wake_services(settings(tmp_path), CLOCK)[1]
    assert isinstance(apple, Apns)
    assert apple._url == APNS_URL
    sandbox = settings(tmp_path, SFA_APNS_URL="https://api.sandbox.push.apple.com")
    apple = wake_services(sandbox, CLOCK)[1]
    assert isinstance(apple, Apns)
    assert apple._url == "https://api.sandbox.push.apple.com"


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("SFA_VAPID_PRIVATE_KEY", ""),
        ("SFA_VAPID_PRIVATE_KEY", "no-key-at-all"),
        ("SFA_VAPID_CONTACT", ""),
        ("SFA_VAPID_CONTACT", "somebody"),
        ("SFA_APNS_KEY_FILE", ""),
        ("SFA_APNS_KEY_FILE", "/nowhere/secret.p8"),
        ("SFA_APNS_KEY_FILE", "fcm.json"),
        ("SFA_APNS_KEY_ID", ""),
        ("SFA_APNS_TEAM_ID", ""),
        ("SFA_APNS_TOPIC", ""),
        ("SFA_APNS_URL", "http://api.push.apple.com"),
        ("SFA_FCM_CREDENTIALS_FILE", "apns.p8"),
        ("SFA_FCM_CREDENTIALS_FILE", "/nowhere/secret.json"),
    ],
)
def test_a_mistake_is_named_and_its_content_is_not(tmp_path: Path, variable: str, value: str) -> None:
    value = str(tmp_path / value) if value in ("fcm.json", "apns.p8") else value
    with pytest.raises(Refused) as refused:
        wake_services(settings(tmp_path, **{variable: value}), CLOCK)
    assert (refused.value.code, refused.value.details["setting"]) == ("setting_invalid", variable)
    assert not value or value not in refused.value.text


def test_a_key_of_the_wrong_kind_is_noticed_at_the_start(tmp_path: Path) -> None:
    (tmp_path / "rsa.p8").write_text(pem_of_rsa())
    with pytest.raises(Refused) as refused:
        wake_services(settings(tmp_path, SFA_APNS_KEY_FILE=str(tmp_path / "rsa.p8")), CLOCK)
    assert refused.value.details["setting"] == "SFA_APNS_KEY_FILE"


def test_the_terminal_makes_a_pair_that_the_server_takes() -> None:
    printed = CliRunner().invoke(vapid_keys).output
    private = re.search(r"^SFA_VAPID_PRIVATE_KEY=(\S+)$", printed, re.MULTILINE)
    assert private is not None
    made = WebPush(private[1], "mailto:a@example.com", CLOCK)
    assert made.public_key in printed
    assert CliRunner().invoke(vapid_keys).output != printed
