"""Where webhooks may be posted to: https on a named host of the public internet, on one of two ports.

Hosts that the operator names (`SFA_WEBHOOK_PRIVATE_HOSTS`) may be private, have any port and go without TLS: still
no link-local, multicast or reserved address. An address is looked at when it is given and again at each delivery, by
`sfa.web.outward`, which connects to the very address that was judged. Names are taken as they are written in ASCII:
numbers, however they are written, are no names, and a name in another script is given in its `xn--` form.
"""

import asyncio
import ipaddress
import re
from typing import Any, NoReturn
from urllib.parse import urlsplit

from msgspec import Struct

from sfa.core.errors import Refused
from sfa.web.outward import Resolve, is_public

URL_CHARACTERS_MAX = 2_000
PORTS = (443, 8443)
RESOLVE_S = 5.0
_NAME = re.compile(r"(?=.{1,253}\Z)([a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?\.)+[a-z]([a-z0-9-]{0,61}[a-z0-9])?\Z")
# Names that RFC 6761 and others keep for one machine or network.
_INWARD = frozenset({"localhost", "local", "internal", "localdomain", "lan", "home", "corp", "intranet", "arpa"})


class Target(Struct, frozen=True):
    """An address that was looked at."""

    host: str
    port: int
    is_private: bool


def private_hosts(said: str) -> frozenset[str]:
    """The hosts of the setting, as they stand in addresses."""
    return frozenset(host.strip().strip("[]").lower() for host in said.split(",") if host.strip())


def target_of(url: str, private: frozenset[str]) -> Target:
    """Refuses `webhook_url_refused`, whose `reason` says why and repeats nothing of what was given."""
    if not 1 <= len(url) <= URL_CHARACTERS_MAX or not url.isascii() or not url.isprintable() or " " in url:
        _refuse("characters", "an address is printable ASCII without blanks; a name in another script begins with xn--")
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        _refuse("form", "this is no address")
    if "\\" in url or "%" in parts.netloc or not host:
        _refuse("form", "this is no address")
    if "@" in parts.netloc:
        _refuse("credentials", "an address holds no user and no password")
    if parts.fragment or url.endswith("#"):
        _refuse("fragment", "an address has no fragment")
    is_private = host in private
    if parts.scheme != "https" and not (is_private and parts.scheme == "http"):
        _refuse("scheme", "an address begins with https://")
    if not is_private and (_NAME.match(host) is None or host.rpartition(".")[2] in _INWARD):
        _refuse("host", "a host has a name of the public internet")
    port = port if port is not None else (443 if parts.scheme == "https" else 80)
    if port == 0 or (not is_private and port not in PORTS):
        _refuse("port", f"a port is {' or '.join(map(str, PORTS))}")
    return Target(host, port, is_private)


def is_within(address: str) -> bool:
    """Whether an address is allowed of a host that the operator named."""
    try:
        found: Any = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    found = getattr(found, "ipv4_mapped", None) or found
    loops = found.is_loopback  # which IPv6 counts as reserved
    return loops or not (found.is_link_local or found.is_multicast or found.is_unspecified or found.is_reserved)


def allowed(target: Target, address: str) -> bool:
    return is_public(address) or (target.is_private and is_within(address))


async def check(url: str, private: frozenset[str], resolve: Resolve) -> Target:
    """Refuses also a name that leads nowhere, or to any address that is not allowed."""
    target = target_of(url, private)
    try:
        async with asyncio.timeout(RESOLVE_S):
            addresses = await resolve(target.host, target.port)
    except (OSError, UnicodeError):  # a time that is over among them
        addresses = []
    if not addresses:
        _refuse("unresolved", "the name leads nowhere")
    if not all(allowed(target, address) for address in addresses):
        _refuse("address", "the name leads to an address that is not public")
    return target


def _refuse(reason: str, text: str) -> NoReturn:
    raise Refused("webhook_url_refused", text, reason=reason)
