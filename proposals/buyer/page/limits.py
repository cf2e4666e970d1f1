"""How often the prospect's page may be asked, and from where a form may come.

In the memory of each process: a page that is opened writes nothing. Tokens have 128 bits, so nobody finds one by
guessing; whoever tries all the same is held up, and with him everybody at his address until he stops.
"""

import logging
from collections.abc import Mapping
from urllib.parse import urlsplit

from sfa.core.clock import Clock
from sfa.core.errors import Refused
from sfa.web.attempts import network
from sfa.web.limits import RequestRate

OF_ADDRESS_PER_S, OF_ADDRESS_BURST = 20, 600  # a whole office may share one
OF_TOKEN_PER_S, OF_TOKEN_BURST = 4, 240
ANSWERS_BURST, ANSWERS_EVERY_S = 30, 6  # of one token: accepting, declining, asking
MISSES_BURST, MISSES_EVERY_S = 30, 10  # of one address: tokens that there are not

_log = logging.getLogger("sfa.page")


class Limits:
    def __init__(self, clock: Clock) -> None:
        self._addresses = RequestRate(clock, per_s=OF_ADDRESS_PER_S, burst=OF_ADDRESS_BURST)
        self._tokens = RequestRate(clock, per_s=OF_TOKEN_PER_S, burst=OF_TOKEN_BURST)
        self._answers = RequestRate(clock, per_s=1 / ANSWERS_EVERY_S, burst=ANSWERS_BURST)
        self._misses = RequestRate(clock, per_s=1 / MISSES_EVERY_S, burst=MISSES_BURST)
        self._is_told = False

    def enter(self, address: str | None) -> None:
        """Refuses `too_many_requests`, whatever token is said: nobody learns by it whether there is one."""
        where = network(address or "")
        self._misses.peek(where)
        self._addresses.check(where)

    def hear(self, forwarded: str | None, address: str | None) -> None:
        """Warn once of a proxy that is not trusted: of one that is, the address is among those it forwards."""
        if forwarded is None or self._is_told or address in {each.strip() for each in forwarded.split(",")}:
            return
        self._is_told = True
        _log.warning(
            "%s forwards requests and is not in SFA_TRUSTED_PROXIES: if it is your proxy, all buyers share its address",
            address,
        )

    def missed(self, address: str | None) -> None:
        self._misses.wait_ms(network(address or ""))

    def look(self, link_key: str) -> None:
        self._tokens.check(link_key)

    def answer(self, link_key: str) -> None:
        self._answers.check(link_key)


def is_crossed(headers: Mapping[str, str]) -> bool:
    """Whether a form was sent by another site's page. Browsers say so; who says neither is no browser, and has the
    token. A page without a referrer sends its forms with the origin `null`."""
    site = headers.get("sec-fetch-site")
    if site is not None:
        return site not in ("same-origin", "none")
    origin = headers.get("origin", "null")
    return origin != "null" and urlsplit(origin).netloc != headers.get("host")


def check_origin(headers: Mapping[str, str]) -> None:
    if is_crossed(headers):
        raise Refused("not_permitted", "this form was sent by another site")
