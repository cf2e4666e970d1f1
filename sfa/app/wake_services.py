"""From the settings to the push services that this server uses: none, unless they are configured (S33).

Keys are read from files here, once. What is wrong is refused as `setting_invalid` with the name of the variable, never
with what the file or the variable holds.
"""

from collections.abc import Sequence
from pathlib import Path

import msgspec

from sfa.app.settings import Settings
from sfa.core.clock import Clock
from sfa.core.errors import Refused
from sync.wakes.apns import APNS_URL, Apns
from sync.wakes.fcm import Fcm, ServiceAccount
from sync.wakes.services import PushService
from sync.wakes.webpush import WebPush


def wake_services(settings: Settings, clock: Clock) -> Sequence[PushService]:
    """Every service whose settings are complete; half of them is a mistake."""
    found: list[PushService] = []
    if _complete(SFA_VAPID_PRIVATE_KEY=settings.vapid_private_key, SFA_VAPID_CONTACT=settings.vapid_contact):
        found.append(_webpush(settings, clock))
    apns = {
        "SFA_APNS_KEY_FILE": settings.apns_key_file,
        "SFA_APNS_KEY_ID": settings.apns_key_id,
        "SFA_APNS_TEAM_ID": settings.apns_team_id,
        "SFA_APNS_TOPIC": settings.apns_topic,
    }
    if _complete(**apns):
        found.append(_apns(settings, clock))
    if settings.fcm_credentials_file:
        found.append(_fcm(settings.fcm_credentials_file, clock))
    return found


def _complete(**values: str) -> bool:
    missing = [name for name, value in values.items() if not value]
    if missing and len(missing) < len(values):
        raise Refused("setting_invalid", f"{missing[0]} is missing beside the other settings", setting=missing[0])
    return not missing


def _webpush(settings: Settings, clock: Clock) -> PushService:
    try:
        return WebPush(settings.vapid_private_key, settings.vapid_contact, clock)
    except ValueError:
        raise _wrong("SFA_VAPID_PRIVATE_KEY", "is no key of `sfa vapid-keys`") from None
    except Exception:
        raise _wrong("SFA_VAPID_CONTACT", "is no mailto: or https: address") from None


def _apns(settings: Settings, clock: Clock) -> PushService:
    key = _read("SFA_APNS_KEY_FILE", settings.apns_key_file)
    url = settings.apns_url or APNS_URL
    try:
        return Apns(key, settings.apns_key_id, settings.apns_team_id, settings.apns_topic, clock, url)
    except Exception:
        raise _wrong("SFA_APNS_KEY_FILE", "is no private key for ES256 (a .p8 file)") from None


def _fcm(path: str, clock: Clock) -> PushService:
    try:
        account = msgspec.json.decode(_read("SFA_FCM_CREDENTIALS_FILE", path), type=ServiceAccount)
        return Fcm(account, clock)
    except Refused:
        raise
    except Exception:
        raise _wrong("SFA_FCM_CREDENTIALS_FILE", "is no file of a service account") from None


def _read(variable: str, path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        raise _wrong(variable, "cannot be read") from None


def _wrong(variable: str, what: str) -> Refused:
    return Refused("setting_invalid", f"{variable} {what}", setting=variable)
