"""What `/auth/*` takes and answers.

Texts are limited and free of control characters: PostgreSQL cannot store a NUL, and nobody is called one.
"""

from typing import Annotated

from msgspec import Meta, Struct

EMAIL_CHARACTERS_MAX = 254
DEVICE_TEXT_CHARACTERS_MAX = 100

PRINTABLE = r"^[^\x00-\x1f\x7f]*\Z"
Email = Annotated[str, Meta(min_length=1, max_length=EMAIL_CHARACTERS_MAX, pattern=PRINTABLE)]
DeviceText = Annotated[str, Meta(max_length=DEVICE_TEXT_CHARACTERS_MAX, pattern=PRINTABLE)]


class DeviceInfo(Struct, frozen=True):
    """One installation. `id` is the registration that it had before; it is continued where it is this user's and
    active, and otherwise a new one is made without a word about the old one."""

    name: DeviceText
    platform: DeviceText
    app_version: DeviceText
    id: str | None = None


class LoginRequest(Struct, frozen=True):
    email: Email
    password: Annotated[str, Meta(max_length=1024)]
    device: DeviceInfo


class RefreshRequest(Struct, frozen=True):
    refresh_token: Annotated[str, Meta(max_length=512)]


class UserView(Struct, frozen=True):
    key: str
    name: str
    email: str
    role: str


class LoginAnswer(Struct, frozen=True):
    """`expires_in` is the life of the access token in seconds."""

    access_token: str
    refresh_token: str
    expires_in: int
    device_id: str
    user: UserView


class MeAnswer(Struct, frozen=True):
    user: UserView
    device_id: str
