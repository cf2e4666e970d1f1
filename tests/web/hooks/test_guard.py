"""An endpoint cannot make the server look inside its own network, however its address is written."""

import asyncio
import ipaddress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfa.core.errors import Refused
from sfa.web.hooks.guard import Target, allowed, check, is_within, private_hosts, target_of
from sfa.web.outward import is_public

NOBODY = frozenset[str]()
INSIDE_4 = (
    *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24"),
    *("192.0.2.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4"),
    *("240.0.0.0/4", "168.63.129.16/32", "169.254.169.254/32", "100.100.100.200/32", "255.255.255.255/32"),
)
INSIDE_6 = (
    *("::1/128", "::/128", "fc00::/7", "fe80::/10", "fec0::/10", "ff00::/8", "2001:db8::/32", "100::/64", "2002::/16"),
    *("2001::/32", "64:ff9b:1::/48", "3fff::/20", "5f00::/16", "fd00:ec2::254/128", "::7f00:1/128", "::/96"),
)


def within(*networks: str) -> Any:
    return st.sampled_from(networks).flatmap(lambda network: st.ip_addresses(network=network))


def carried(address: Any) -> list[str]:
    """An IPv4 address as IPv6 networks hand it on: mapped, compatible, NAT64, 6to4, Teredo."""
    n = int(address)
    return [
        f"::ffff:{address}",
        f"::{address}",
        f"64:ff9b::{address}",
        str(ipaddress.IPv6Address((0x2002 << 112) | (n << 80) | 1)),
        str(ipaddress.IPv6Address((0x20010000 << 96) | (n ^ 0xFFFFFFFF))),
    ]


@given(within(*INSIDE_4, *INSIDE_6))
def test_no_address_of_a_special_network_is_public(address: Any) -> None:
    assert not is_public(str(address))
    assert not is_public(f"{address}%eth0")


@given(within(*INSIDE_4))
def test_nor_is_it_when_ipv6_carries_it(address: Any) -> None:
    assert not any(is_public(form) for form in carried(address))


@given(st.ip_addresses())
def test_what_is_public_is_global_to_the_standard_library_too(address: Any) -> None:
    """Two lists that were written apart: nothing may be public here that is not there."""
    if is_public(str(address)):
        judged = getattr(address, "ipv4_mapped", None) or address
        assert judged.is_global
        assert not judged.is_multicast


@pytest.mark.parametrize("address", ["93.184.215.14", "1.1.1.1", "172.32.0.1", "2a00:1450:4001:830::200a", "2606::1"])
def test_ordinary_addresses_are_public(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize("address", ["", "x", "127.1", "0x7f.1", "010.0.0.1", "1.2.3.4.5", "::g"])
def test_what_is_no_address_is_not_public(address: str) -> None:
    assert not is_public(address)
    assert not is_within(address)


REFUSED = {
    "http://hooks.example.com/": "scheme",
    "ftp://hooks.example.com/": "scheme",
    "//hooks.example.com/": "scheme",
    "javascript:alert(1)": "form",
    "": "characters",
    "https://hooks.example.com/a b": "characters",
    "https://hooks.example.com/\r\nHost: inside": "characters",
    "https://hooks.example.com/\x00": "characters",
    "https://höoks.example.com/": "characters",
    "https://hooks。example。com/": "characters",
    "https://①②⑦.0.0.1/": "characters",
    "https://hooks.example.com/" + "x" * 2_000: "characters",
    "https://": "form",
    "https:///x": "form",
    "https://[::1": "form",
    "https://hooks.example.com:port/": "form",
    "https://hooks.example.com:443443/": "form",
    "https://hooks.example.com\\@10.0.0.1/": "form",
    "https://hooks%2eexample.com/": "form",
    "https://127.0.0.1%2f.example.com/": "form",
    "https://user:word@hooks.example.com/": "credentials",
    "https://hooks.example.com@10.0.0.1/": "credentials",
    "https://@hooks.example.com/": "credentials",
    "https://hooks.example.com/#part": "fragment",
    "https://hooks.example.com/#": "fragment",
    "https://127.0.0.1/": "host",
    "https://127.1/": "host",
    "https://2130706433/": "host",
    "https://0x7f000001/": "host",
    "https://0x7f.0.0.1/": "host",
    "https://0177.0.0.1/": "host",
    "https://[::1]/": "host",
    "https://[::ffff:127.0.0.1]/": "host",
    "https://93.184.215.14/": "host",
    "https://localhost/": "host",
    "https://LOCALHOST/": "host",
    "https://app.localhost/": "host",
    "https://printer.local/": "host",
    "https://metadata.google.internal/": "host",
    "https://intranet/": "host",
    "https://hooks.example.com./": "host",
    "https://.hooks.example.com/": "host",
    "https://hooks..example.com/": "host",
    "https://-hooks.example.com/": "host",
    "https://hooks.example.com:80/": "port",
    "https://hooks.example.com:22/": "port",
    "https://hooks.example.com:0/": "port",
}


@pytest.mark.parametrize(("url", "reason"), REFUSED.items())
def test_what_is_no_address_of_an_endpoint_is_refused_and_not_repeated(url: str, reason: str) -> None:
    with pytest.raises(Refused) as refused:
        target_of(url, NOBODY)
    assert (refused.value.code, refused.value.details["reason"]) == ("webhook_url_refused", reason)
    assert not url or url not in refused.value.text


@pytest.mark.parametrize(
    ("url", "host", "port"),
    [
        ("https://hooks.example.com/in?x=1", "hooks.example.com", 443),
        ("https://Hooks.Example.com:8443", "hooks.example.com", 8443),
        ("https://xn--hks-sna.example.com:443/", "xn--hks-sna.example.com", 443),
        ("HTTPS://a_b.example.com/", "a_b.example.com", 443),
    ],
)
def test_addresses_of_endpoints_are_taken(url: str, host: str, port: int) -> None:
    assert target_of(url, NOBODY) == Target(host, port, False)


@given(st.text(max_size=40))
def test_any_text_is_taken_or_refused(text: str) -> None:
    for url in (text, f"https://{text}", f"https://{text}.example.com/", f"https://hooks.example.com{text}"):
        found: Target | str
        try:
            found = target_of(url, NOBODY)
        except Refused as refused:
            found = refused.code
        assert found == "webhook_url_refused" or (isinstance(found, Target) and found.port in (443, 8443))


def test_hosts_that_the_operator_names_may_be_private() -> None:
    private = private_hosts(" 127.0.0.1, erp.internal ,[::1],")
    assert private == {"127.0.0.1", "erp.internal", "::1"}
    assert target_of("http://127.0.0.1:9000/in", private) == Target("127.0.0.1", 9000, True)
    assert target_of("http://ERP.internal/in", private) == Target("erp.internal", 80, True)
    assert target_of("http://[::1]:9000/in", private) == Target("::1", 9000, True)
    for url in ("http://127.0.0.2/", "http://x.erp.internal/", "http://127.0.0.1@erp.example/", "ftp://127.0.0.1/"):
        with pytest.raises(Refused):
            target_of(url, private)


@given(within("169.254.0.0/16", "224.0.0.0/4", "240.0.0.0/4", "0.0.0.0/32", "fe80::/10", "ff00::/8", "::/128"))
def test_what_leads_to_secrets_of_the_machine_is_refused_of_them_too(address: Any) -> None:
    target = Target("erp.internal", 443, True)
    assert not allowed(target, str(address))
    assert not (address.version == 4 and allowed(target, f"::ffff:{address}"))


@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "10.1.2.3", "192.168.1.1", "fd12::1", "93.184.215.14"])
def test_their_own_network_is_allowed_of_them_alone(address: str) -> None:
    assert allowed(Target("erp.internal", 80, True), address)
    assert allowed(Target("hooks.example.com", 443, False), address) == (address == "93.184.215.14")


def checked(*addresses: str) -> str | None:
    """-> why it is refused, when the name leads to these."""

    async def resolve(_host: str, _port: int) -> list[str]:
        return list(addresses)

    try:
        asyncio.run(check("https://hooks.example.com/", NOBODY, resolve))
    except Refused as refused:
        return str(refused.details["reason"])
    return None


def test_a_name_with_any_address_inside_is_refused() -> None:
    assert checked("93.184.215.14", "2606::1") is None
    assert checked("93.184.215.14", "10.0.0.1") == checked("::ffff:10.0.0.1", "93.184.215.14") == "address"
    assert checked() == "unresolved"


@pytest.mark.parametrize("error", [OSError("no such name"), UnicodeError("label too long"), TimeoutError()])
def test_a_name_that_leads_nowhere_is_refused(error: Exception) -> None:
    async def resolve(_host: str, _port: int) -> list[str]:
        raise error

    with pytest.raises(Refused) as refused:
        asyncio.run(check("https://hooks.example.com/", NOBODY, resolve))
    assert refused.value.details["reason"] == "unresolved"
