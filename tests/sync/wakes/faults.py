"""Mistakes that somebody could make in waking, each switched on by itself: the play must find every one."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import msgspec
from sqlalchemy import Connection, and_, false, select, true, update

from sfa.db import feed
from sfa.db.tables import devices, scope_intervals, wakes
from sync.wakes import claims, subscriptions, waker
from sync.wakes.services import SENT, Outcome

Patches = Sequence[tuple[Any, str, Any]]
FAULTS: dict[str, Callable[[], Any]] = {}


def fault(plan: Callable[[], Patches]) -> Callable[[], Patches]:
    @contextmanager
    def planted() -> Iterator[None]:
        patches = plan()
        before = [(place, name, getattr(place, name)) for place, name, _ in patches]
        try:
            for place, name, mistake in patches:
                setattr(place, name, mistake)
            yield
        finally:
            for place, name, right in before:
                setattr(place, name, right)

    FAULTS[plan.__name__] = planted
    return plan


@fault
def own_news_wakes_the_phone_that_made_it() -> Patches:
    return [(claims, "_own", false)]


@fault
def everybody_is_woken_whatever_they_may_see() -> Patches:
    def everybody(keys: Any) -> Any:
        return select(wakes.c.device_key).where(wakes.c.device_key.in_(keys))

    return [(claims, "_holds", lambda _buckets: true()), (claims, "_concerned", everybody)]


@fault
def a_bucket_that_was_lost_still_wakes() -> Patches:
    return [(claims, "_open", lambda: and_(scope_intervals.c.user_key == devices.c.user_key))]


@fault
def a_scope_that_changed_wakes_nobody() -> Patches:
    return [(claims, "_moved", false)]


@fault
def the_wake_is_noted_before_it_is_sent() -> Patches:
    real = claims.claim

    def noted(connection: Connection, *args: Any) -> Any:
        found = real(connection, *args)
        for claim in found.claims:
            connection.execute(update(wakes).where(wakes.c.device_key == claim.device).values(seq=claim.seq))
        return found

    return [(claims, "claim", noted)]


@fault
def a_wake_that_failed_counts_as_sent() -> Patches:
    real = claims.settle
    sent = Outcome(SENT)
    return [(claims, "settle", lambda c, found, now: real(c, [(claim, sent) for claim, _ in found], now))]


@fault
def a_number_counts_as_told_before_its_transaction_has_committed() -> Patches:
    real = feed.face
    ahead = SimpleNamespace(face=lambda connection: real(connection)._replace(seq=real(connection).seq + 1))
    return [(claims, "feeds", ahead)]


@fault
def what_happened_during_a_pause_is_forgotten() -> Patches:
    real = claims._near

    def only_news(connection: Connection, service: str, before: claims.Seen, *args: Any) -> Any:
        at = before.at if before.seq == claims.SWEEP else 2**60
        return real(connection, service, msgspec.structs.replace(before, at=at), *args)

    return [(claims, "_near", only_news), (waker, "WAKE_SWEEP_MS", 2**60)]


@fault
def the_pause_between_two_wakes_is_ignored() -> Patches:
    return [(claims, "WAKE_EVERY_MS", 0)]


@fault
def a_claim_keeps_nobody_away() -> Patches:
    return [(claims, "WAKE_CLAIM_MS", 0)]


@fault
def streams_are_not_told_to_the_other_process() -> Patches:
    return [(claims, "note_streams", lambda *_args: None)]


@fault
def a_subscription_is_kept_after_its_registration_ended() -> Patches:
    return [(subscriptions, "remove", lambda *_args: None)]
