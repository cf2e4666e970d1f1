"""What stands, whose turn it is, and what an answer meets: for every case (R46, R47, R48)."""

from datetime import date

from hypothesis import given
from hypothesis import strategies as st

from proposals.buyer import deciding
from proposals.buyer.deciding import Case, Given, Signer
from proposals.lifecycle import ACCEPTED, DECLINED, EXPIRED, OVER, SENT, SUPERSEDED, VIEWED, WITH_BUYER, WITHDRAWN
from sfa.core.days import day_bounds_ms
from sfa.core.errors import Refused

ZONES = ("Europe/Madrid", "Pacific/Kiritimati", "Pacific/Pago_Pago", "America/Sao_Paulo", "Africa/Cairo", "UTC")
DAYS = st.dates(min_value=date(2020, 1, 1), max_value=date(2035, 1, 1))
KEYS = ("a", "b", "c", "d")


@st.composite
def cases(draw: st.DrawFn) -> Case:
    keys = draw(st.lists(st.sampled_from(KEYS), unique=True))
    named = [Signer(key=key, name=key.upper(), position=draw(st.integers(0, 2))) for key in keys]
    order = deciding.in_turn(named)
    done = order[: draw(st.integers(0, len(order)))]
    return Case(
        status=draw(st.sampled_from((SENT, VIEWED, ACCEPTED, DECLINED, EXPIRED, SUPERSEDED, WITHDRAWN))),
        valid_until=draw(DAYS).isoformat(),
        zone=draw(st.sampled_from(ZONES)),
        deal_ended=draw(st.booleans()),
        named=tuple(named),
        signed=tuple(Given(key=signer.key, name=signer.name, at=0) for signer in done),
        me=draw(st.sampled_from((*KEYS, "link:x"))),
        is_reader=draw(st.booleans()),
        is_staff=draw(st.booleans()),
    )


def instant(case: Case, ms: int) -> int:
    """Near the end of the last day."""
    return day_bounds_ms(case.valid_until, case.zone)[1] + ms


def code_of(check: object, case: Case, now: int) -> str | None:
    try:
        check(case, now)  # type: ignore[operator]
    except Refused as refusal:
        return refusal.code
    return None


@given(cases(), st.integers(-3, 3))
def test_what_may_be_signed_is_what_is_open_and_ones_turn(case: Case, ms: int) -> None:
    now = instant(case, ms)
    state = deciding.standing(case, now)
    assert state in deciding.STATES
    code = code_of(deciding.check_signs, case, now)
    left = deciding.left(case)
    may = case.status in WITH_BUYER and not case.deal_ended and ms < 0 and deciding.may_answer(case)
    done = {given.key for given in case.signed}
    if case.me in done:
        assert (code is None) == (may and state == deciding.SIGNED_BY_YOU)
    else:
        assert (code is None) == (may and (not left or left[0].key == case.me))


@given(cases(), st.integers(-3, 3))
def test_what_is_stored_comes_before_what_is_reckoned(case: Case, ms: int) -> None:
    """R46, R47, R48: what is over stays what it was, whatever the day says."""
    now = instant(case, ms)
    state = deciding.standing(case, now)
    if case.status in OVER:
        assert state == case.status
        assert code_of(deciding.check_signs, case, now) == deciding.REFUSES[state]
        assert code_of(deciding.check_declines, case, now) == deciding.REFUSES[state]
    elif not case.deal_ended:
        assert (state == EXPIRED) == (ms >= 0)


@given(cases())
def test_signers_come_one_after_the_other_and_the_last_one_is_the_last(case: Case) -> None:
    left, done = deciding.left(case), {given.key for given in case.signed}
    assert [signer.key for signer in left] == [s.key for s in deciding.in_turn(case.named) if s.key not in done]
    assert deciding.is_last(case) == (not left or (len(left) == 1 and left[0].key == case.me))


@given(cases(), st.integers(-3, 3))
def test_a_reader_and_the_companys_own_people_answer_nothing(case: Case, ms: int) -> None:
    if case.is_reader or case.is_staff or (case.named and case.me not in {s.key for s in case.named}):
        for check in (deciding.check_signs, deciding.check_declines):
            assert code_of(check, case, instant(case, ms)) is not None
