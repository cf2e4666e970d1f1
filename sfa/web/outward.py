"""What this server may connect to when somebody else has said the address: machines of the public internet.

Names are resolved here, every address that a name has must be allowed, and the connection goes to the very address that
was looked at, so that a name that changes between look and connection gains nothing. Certificates are still checked
against the name. No proxy of the environment is asked.
"""

import asyncio
import ipaddress
import socket
import ssl
from collections.abc import Awaitable, Callable, Iterable, Sequence
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Any

import httpcore
import httpx

Allowed = Callable[[str], bool]
Resolve = Callable[[str, int], Awaitable[Sequence[str]]]

AT_ONCE = 20
KEEP_S = 30.0
NOT_PUBLIC = "the name leads to an address that is not public"

# What IANA keeps for special purposes, and an address at which a cloud tells machines of their secrets.
_REFUSED_4 = tuple(
    ipaddress.IPv4Network(text)
    for text in (
        *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "168.63.129.16/32", "169.254.0.0/16"),
        *("172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15"),
        *("198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4"),
    )
)
_GLOBAL_6 = ipaddress.IPv6Network("2000::/3")
# Teredo and its neighbours, documentation, 6to4.
_REFUSED_6 = tuple(map(ipaddress.IPv6Network, ("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20")))
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")


def is_public(address: str) -> bool:
    """Whether an IP address is a place on the public internet: no private, loopback, link-local, shared, reserved,
    multicast or metadata one, nor an IPv6 address that leads to such an IPv4 address."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(found, ipaddress.IPv6Address):
        inside = ipaddress.IPv4Address(int(found) & 0xFFFFFFFF) if found in _NAT64 else found.ipv4_mapped
        if inside is None:
            return found in _GLOBAL_6 and not any(found in network for network in _REFUSED_6)
        found = inside
    return not any(found in network for network in _REFUSED_4)


async def resolve(host: str, port: int) -> list[str]:
    """Every address of a name, as this machine resolves it; `OSError` where it has none."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


class GuardedBackend(httpcore.AsyncNetworkBackend):
    """Opens connections to addresses that are allowed, whatever name leads there."""

    def __init__(self, allowed: Allowed, resolve: Resolve = resolve) -> None:
        self._allowed, self._resolve = allowed, resolve
        self._inner = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - the library's own signature
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        try:
            async with asyncio.timeout(timeout):
                addresses = await self._resolve(host, port)
        except TimeoutError as error:
            raise httpcore.ConnectTimeout("the name was not resolved in time") from error
        except (OSError, UnicodeError) as error:
            raise httpcore.ConnectError("the name cannot be resolved") from error
        if not addresses or not all(map(self._allowed, addresses)):
            raise httpcore.ConnectError(NOT_PUBLIC)
        for address in addresses[:-1]:
            try:
                return await self._inner.connect_tcp(address, port, timeout, local_address, socket_options)
            except httpcore.ConnectError:  # a host of two families, one of which does not lead there
                continue
        return await self._inner.connect_tcp(addresses[-1], port, timeout, local_address, socket_options)

    async def connect_unix_socket(self, *_args: Any, **_kwargs: Any) -> httpcore.AsyncNetworkStream:
        raise httpcore.ConnectError("not a place on the internet")

    async def sleep(self, seconds: float) -> None:
        await self._inner.sleep(seconds)


class GuardedTransport(httpx.AsyncHTTPTransport):
    """httpx over guarded connections. `keep` is how many stay open for what comes next: one that stays open is not
    looked at again."""

    def __init__(
        self,
        allowed: Allowed = is_public,
        verify: ssl.SSLContext | None = None,
        *,
        resolve: Resolve = resolve,
        at_once: int = AT_ONCE,
        keep: int = AT_ONCE,
    ) -> None:
        context = verify if verify is not None else httpx.create_ssl_context(trust_env=False)
        super().__init__(verify=context, trust_env=False)
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=context,
            max_connections=at_once,
            max_keepalive_connections=keep,
            keepalive_expiry=KEEP_S,
            network_backend=GuardedBackend(allowed, resolve),
        )


def retry_after_s(text: str, now_ms: int, most_s: float) -> float:
    """What `Retry-After` asks for: seconds, or a date (RFC 9110); what cannot be read asks for nothing."""
    if text.isascii() and text.isdigit() and len(text) < 10:
        wished = float(text)
    else:
        try:
            at = parsedate_to_datetime(text)
        except (ValueError, TypeError, OverflowError):
            return 0.0
        wished = (at if at.tzinfo is not None else at.replace(tzinfo=UTC)).timestamp() - now_ms / 1000
    return min(max(wished, 0.0), most_s)
