"""Where a device may send this server: Web Push endpoints are addresses that anybody with a login can give.

Only https, only the usual port, only a host with a name, and only a machine of the public internet, which
`sfa.web.outward` sees to whenever a connection is opened. Redirects are not followed (`services.client`).
"""

import re
from collections.abc import Iterable
from urllib.parse import urlsplit

from sfa.core.errors import Refused
from sync.protocol import WAKE_ADDRESS_CHARACTERS_MAX

HTTPS_PORT = 443
HOST = re.compile(r"(?=.{1,253}\Z)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]([a-z0-9-]{0,61}[a-z0-9])?\Z")


def check_endpoint(address: str, ports: Iterable[int] = (HTTPS_PORT,)) -> str:
    """-> the origin of an endpoint. Refuses `wake_address_invalid`, without a word of what was given."""
    refused = Refused("wake_address_invalid", "an endpoint is an https address on a host of the public internet")
    if len(address) > WAKE_ADDRESS_CHARACTERS_MAX or not address.isascii() or not address.isprintable():
        raise refused
    try:
        parts = urlsplit(address)
        port = parts.port
    except ValueError:
        raise refused from None
    host = parts.hostname or ""
    right = parts.scheme == "https" and HOST.match(host) is not None and (port or HTTPS_PORT) in ports
    if not right or " " in address or "@" in parts.netloc or parts.fragment or "\\" in address:
        raise refused
    return f"https://{host}" + (f":{port}" if port not in (None, HTTPS_PORT) else "")
