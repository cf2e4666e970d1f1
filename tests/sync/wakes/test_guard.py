"""A device cannot make the server look inside its own network."""

import asyncio
import socket
from typing import Any

import httpcore
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfa.core.errors import Refused
from sfa.web.outward import GuardedBackend, is_public
from sync.wakes.guard import check_endpoint

INSIDE = [
    "127.0.0.1",
    "127.8.9.10",
    "0.0.0.0",
    "10.1.2.3",
    "172.16.0.1",
    "192.168.1.1",
    "169.254.169.254",
    "100.64.0.1",
    "198.18.0.1",
    "192.0.2.1",
    "224.0.0.1",
    "255.255.255.255",
    "::1",
    "::",
    "fe80::1",
    "fe80::1%eth0",
    "fc00::1",
    "fd12:3456::1",
    "ff02::1",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "64:ff9b::7f00:1",
    "64:ff9b::a9fe:a9fe",
    "2002:7f00:1::",
    "2001:db8::1",
]


@pytest.mark.parametrize("address", INSIDE)
def test_an_address_that_is_not_of_the_public_internet_is_not_allowed(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", ["142.250.185.10", "17.188.143.34", "2a00:1450:4001:830::200a", "64:ff9b::808:808"])
def test_an_address_of_the_public_internet_is_allowed(address: str) -> None:
    assert is_public(address)


@given(st.ip_addresses(v=4))
def test_an_ipv4_address_inside_an_ipv6_one_is_judged_like_itself(address: Any) -> None:
    assert is_public(f"::ffff:{address}") == is_public(f"64:ff9b::{address}") == is_public(str(address))


@pytest.mark.parametrize(
    "endpoint",
    [
        "",
        "http://push.example.com/x",
        "ftp://push.example.com/x",
        "https://127.0.0.1/x",
        "https://[::1]/x",
        "https://localhost/x",
        "https://intranet/x",
        "https://push.example.com:8443/x",
        "https://push.example.com:443443/x",
        "https://user:word@push.example.com/x",
        "https://push.example.com@10.0.0.1/x",
        "https://push.example.com\\@10.0.0.1/x",
        "https://0x7f.0.0.1/x",
        "https://2130706433/x",
        "https://push.example.com/x y",
        "https://push.example.com/x\r\nHost: inside",
        "https://püsh.example.com/x",
        "https://push.example.com/#" + "x",
        "https://-push.example.com/x",
        "https://push.example.com/" + "x" * 5000,
        "https:///x",
        "push.example.com/x",
    ],
)
def test_what_is_no_endpoint_is_refused_without_repeating_it(endpoint: str) -> None:
    with pytest.raises(Refused) as refused:
        check_endpoint(endpoint)
    assert refused.value.code == "wake_address_invalid"
    assert not endpoint or endpoint not in str(refused.value.text)


@pytest.mark.parametrize("endpoint", ["https://fcm.googleapis.com/fcm/send/a:b", "https://x.push.apple.com:443/Q?y=1"])
def test_endpoints_of_real_services_are_taken(endpoint: str) -> None:
    assert check_endpoint(endpoint) == endpoint.split("/", 3)[0] + "//" + endpoint.split("/")[2].removesuffix(":443")


def connect(monkeypatch: pytest.MonkeyPatch, *answers: str) -> list[str]:
    """Connect to a name that resolves to these -> the addresses that were dialled."""
    dialled: list[str] = []

    def resolved(*_args: Any, **_kwargs: Any) -> Any:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (answer, 443)) for answer in answers]

    async def dial(_self: Any, host: str, *_args: Any) -> Any:
        dialled.append(host)
        raise httpcore.ConnectError

    monkeypatch.setattr(socket, "getaddrinfo", resolved)
    monkeypatch.setattr(httpcore.AnyIOBackend, "connect_tcp", dial)
    with pytest.raises(httpcore.ConnectError):
        asyncio.run(GuardedBackend(is_public).connect_tcp("push.example.com", 443, 1.0))
    return dialled


def test_the_address_that_was_looked_at_is_the_one_that_is_dialled(monkeypatch: pytest.MonkeyPatch) -> None:
    """So a name that means something else a moment later gains nothing; where one does not answer, the next."""
    both = ["142.250.185.10", "142.250.185.11"]
    assert connect(monkeypatch, *both) == both


def test_a_name_with_one_address_inside_is_not_dialled_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    assert connect(monkeypatch, "142.250.185.10", "10.0.0.1") == []
    assert connect(monkeypatch) == []
