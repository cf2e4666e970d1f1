"""The limit on logins: how often one e-mail and one client address may fail, in every process together.

An attempt is counted before the password is checked, so that many at once cannot slip through, and taken back when the
password was right. Only digests of e-mails and addresses are stored; a window that has ended is removed.
"""

import hashlib
import ipaddress

from msgspec import Struct
from sqlalchemy import Connection, case, delete, update
from sqlalchemy.dialects import postgresql, sqlite

from sfa.db.tables import login_attempts

WINDOW_MS = 15 * 60 * 1000
FAILURES_PER_EMAIL_MAX = 10
FAILURES_PER_ADDRESS_MAX = 200  # a whole office may share one address
IPV6_PREFIX = 64  # one customer's line has that many addresses


class Subject(Struct, frozen=True, order=True):
    """`forgiven`: a right password wipes out the earlier failures too."""

    digest: bytes
    failures_max: int
    forgiven: bool


def subjects_of(email: str, address: str | None) -> list[Subject]:
    """Whose failures an attempt counts for, in the order in which their rows are locked."""
    found = [Subject(_digest("email", email.lower()), FAILURES_PER_EMAIL_MAX, forgiven=True)]
    if address:
        digest = _digest("address", network(address))
        found.append(Subject(digest, FAILURES_PER_ADDRESS_MAX, forgiven=False))
    return sorted(found)


def _digest(kind: str, text: str) -> bytes:
    return hashlib.blake2b(text.encode(), digest_size=16, person=kind.encode()).digest()


def network(address: str) -> str:
    """Whom an address stands for: a line of IPv6 has many."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    if parsed.version == 4:
        return address
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(ipaddress.ip_network((parsed, IPV6_PREFIX), strict=False))


def count(connection: Connection, subjects: list[Subject], now_ms: int) -> int:
    """Count one attempt for each subject; -> milliseconds to wait, 0 where the attempt may go on."""
    wait_ms, begun = 0, False
    for subject in subjects:
        window_at, failures = _counted(connection, subject, now_ms)
        begun |= failures == 1
        if failures > subject.failures_max:
            wait_ms = max(wait_ms, window_at + WINDOW_MS - now_ms)
    if begun:  # as many rows go as come, so the table stays small
        connection.execute(delete(login_attempts).where(login_attempts.c.window_at <= now_ms - WINDOW_MS))
    return wait_ms


def _counted(connection: Connection, subject: Subject, now_ms: int) -> tuple[int, int]:
    """Add one in a single statement, beginning a new window where the old one has ended; -> (window_at, failures)."""
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    row = {"subject": subject.digest, "window_at": now_ms, "failures": 1}
    ended = login_attempts.c.window_at <= now_ms - WINDOW_MS
    statement = (
        dialect.insert(login_attempts)
        .values(row)
        .on_conflict_do_update(
            index_elements=["subject"],
            set_={
                "window_at": case((ended, now_ms), else_=login_attempts.c.window_at),
                "failures": case((ended, 1), else_=login_attempts.c.failures + 1),
            },
        )
        .returning(login_attempts.c.window_at, login_attempts.c.failures)
    )
    window_at, failures = connection.execute(statement).one()
    return window_at, failures


def take_back(connection: Connection, subjects: list[Subject]) -> None:
    """The password was right: this attempt was no failure, and this e-mail starts anew."""
    for subject in subjects:
        mine = login_attempts.c.subject == subject.digest
        if subject.forgiven:
            connection.execute(delete(login_attempts).where(mine))
        else:
            less = update(login_attempts).where(mine, login_attempts.c.failures > 0)
            connection.execute(less.values(failures=login_attempts.c.failures - 1))
