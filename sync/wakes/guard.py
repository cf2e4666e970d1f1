"""Where a device may send this server: Web Push endpoints are addresses that anybody with a login can give.

Only https, only the usual port, only a host with a name, and only a machine of the public internet: the name is
resolved here, every address that it has must be public, and the connection goes to the very address that was looked at,
so that a name that changes between look and connection gains nothing. Certificates are checked against the name.
Redirects are not followed (`services.client`).
"""

import asyncio
import ipaddress
import re
import socket
import ssl
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import urlsplit

import httpcore
import httpx

from sfa.core.errors import Refused
from sync.protocol import WAKE_ADDRESS_CHARACTERS_MAX, WAKES_AT_ONCE

HTTPS_PORT = 443
HOST = re.compile(r"(?=.{1,253}\Z)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]([a-z0-9-]{0,61}[a-z0-9])?\Z")
KEEP_S = 30.0

Allowed = Callable[[str], bool]


def is_public(address: str) -> bool:
    """Whether an IP address is a place on the public internet: no private, loopback, link-local, shared, reserved or
    multicast one, nor an IPv6 address with such an IPv4 address inside."""
    found = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(found, ipaddress.IPv6Address):
        inside = found.ipv4_mapped or found.sixtofour or (found.teredo[1] if found.teredo else None)
        if inside is None and found in ipaddress.ip_network("64:ff9b::/96"):
            inside = ipaddress.IPv4Address(int(found) & 0xFFFFFFFF)
        if inside is not None:
            return inside.is_global and not inside.is_multicast
    return found.is_global and not found.is_multicast


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


class GuardedBackend(httpcore.AsyncNetworkBackend):
    """Opens connections to addresses that are allowed, whatever name leads there."""

    def __init__(self, allowed: Allowed) -> None:
        self._allowed = allowed
        self._inner = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - the library's own signature
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(timeout):
                found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except TimeoutError as error:
            raise httpcore.ConnectTimeout("the name was not resolved in time") from error
        except OSError as error:
            raise httpcore.ConnectError("the name cannot be resolved") from error
        addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
        if not addresses or not all(map(self._allowed, addresses)):
            raise httpcore.ConnectError("the name leads to an address that is not public")
        return await self._inner.connect_tcp(addresses[0], port, timeout, local_address, socket_options)

    async def connect_unix_socket(self, *_args: Any, **_kwargs: Any) -> httpcore.AsyncNetworkStream:
        raise httpcore.ConnectError("not a place on the internet")

    async def sleep(self, seconds: float) -> None:
        await self._inner.sleep(seconds)


class GuardedTransport(httpx.AsyncHTTPTransport):
    """httpx over guarded connections."""

    def __init__(self, allowed: Allowed = is_public, verify: ssl.SSLContext | None = None) -> None:
        context = verify if verify is not None else httpx.create_ssl_context(trust_env=False)
        super().__init__(verify=context, trust_env=False)
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=context,
            max_connections=WAKES_AT_ONCE,
            max_keepalive_connections=WAKES_AT_ONCE,
            keepalive_expiry=KEEP_S,
            network_backend=GuardedBackend(allowed),
        )
