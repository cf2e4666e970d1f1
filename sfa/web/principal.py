"""Who asks: the user, the role as it stands in the database, and the registration of the device."""

from msgspec import Struct


class Principal(Struct, frozen=True):
    user_key: str
    role: str
    device_key: str
