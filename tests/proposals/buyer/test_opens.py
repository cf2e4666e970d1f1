"""Opens of people, and of nobody else (R51)."""

import threading
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from proposals.buyer import links, opens
from proposals.buyer.opens import AGAIN_MS, BEAT_S, BEATS_MAX, Beat, Time, bounded
from proposals.buyer.people import FILTERS, PREVIEWS, TOOLS, Look, device_of, is_ahead, is_program, why_not
from sfa.core.errors import Refused
from sfa.db import proposal_timeline as timeline
from sfa.db.tables import proposal_opens, webhook_events
from tests.builders import DAY_MS
from tests.office import Office
from tests.proposals.buyer.looking import CHROME, link, look, sent, session, sessions
from tests.proposals.selling import order, versions

IPHONE = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1 Version/18.5 Mobile/15E148 Safari/604.1"
)
EDGE = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/142.0.0.0 Safari/537.36 Edg/142.0"
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:144.0) Gecko/20100101 Firefox/144.0"
TAB = "Mozilla/5.0 (Linux; Android 14; SM-X710) AppleWebKit/537.36 Chrome/142.0.0.0 Safari/537.36"
SAMSUNG = "Mozilla/5.0 (Linux; Android 14; SM-S918B) SamsungBrowser/28.0 Chrome/130.0.0.0 Mobile Safari/537.36"
PROGRAMS = (
    "Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)",
    "Mozilla/5.0 (Windows NT 6.1; WOW64) SkypeUriPreview Preview/0.5 skype-url-preview@microsoft.com",
    "WhatsApp/2.23.20.0",
    "facebookexternalhit/1.1 (+http://www.facebook.com/externalhit_uatext.php)",
    "Twitterbot/1.0",
    "LinkedInBot/1.0 (compatible; Mozilla/5.0; Apache-HttpClient +http://www.linkedin.com)",
    "TelegramBot (like TwitterBot)",
    "Mozilla/5.0 (compatible; Discordbot/2.0; +https://discordapp.com)",
    "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) HeadlessChrome/142.0.0.0 Safari/537.36",
    "Barracuda Sentinel (EE)",
    "curl/8.14.1",
    "python-requests/2.32.3",
    "Python/3.12 aiohttp/3.9",
    "Go-http-client/2.0",
    "",
    None,
)


def test_the_first_open_of_a_person_tells_proposal_recipient_version_timeline_and_other_systems(office: Office) -> None:
    """R51: and the rep's device by sync."""
    ana = sent(office)
    ana.catch_up()
    at = link(office)
    office.clock.advance(60_000)
    now = office.clock.now_ms()
    assert look(office, at) == opens.Seen(True, None)
    row, recipient = office.row("proposals", "p1"), office.row("proposal_recipients", "rita-p1")
    assert (row["status"], row["opens"], row["opened_at"], row["last_opened_at"]) == ("viewed", 1, now, now)
    assert (recipient["state"], recipient["opens"], recipient["opened_at"]) == ("opened", 1, now)
    assert versions(office)[0]["status"] == "viewed"
    events = office.database.read(timeline.events_of, "p1")
    assert [(e.kind, e.recipient_key, e.address) for e in events][-1] == ("opened", "rita-p1", "192.0.2.1")
    assert timeline.broken_at("p1", events) is None
    told = office.all(select(webhook_events).where(webhook_events.c.kind == "proposal.opened"))
    assert len(told) == 1
    ana.catch_up()
    assert ana.sees()["proposals", "p1"]["opens"] == 1
    (kept,) = sessions(office)
    assert (kept["device"], kept["seconds"], kept["counted"]) == ("phone", 5, True)
    assert "192.0.2.1" not in str(kept)


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ({"staff": True}, "staff"),
        ({"prefetch": True}, "prefetch"),
        ({"acted": False}, "no_interaction"),
        ({"seconds": 1}, "too_short"),
        *(({"agent": agent}, "scanner") for agent in ("Slackbot-LinkExpanding 1.0", "curl/8", None)),
    ],
)
def test_what_is_no_person_or_does_not_look_counts_nothing(office: Office, said: dict[str, Any], reason: str) -> None:
    """R51: nothing of the rows changes, so no device hears of it; why is kept."""
    sent(office)
    at, before = link(office), office.seq()
    assert look(office, at, **said) == opens.Seen(False, reason)
    assert (office.seq(), office.row("proposals", "p1")["opens"], versions(office)[0]["status"]) == (before, 0, "sent")
    assert [kept["why_not"] for kept in sessions(office)] == [reason]


def test_a_link_that_is_revoked_between_looking_and_telling_counts_nothing(office: Office) -> None:
    sent(office)
    at = link(office)
    office.database.write(links.revoke, "p1", None, office.clock.now_ms(), None)
    with pytest.raises(Refused) as refused:
        look(office, at)
    assert refused.value.code == "not_found"
    assert (office.row("proposals", "p1")["opens"], office.all(select(proposal_opens))) == (0, [])


def test_a_staff_link_counts_nothing_whoever_opens_it(office: Office) -> None:
    """R51."""
    sent(office)
    assert look(office, link(office, recipient=None, kind="staff")).why_not == "staff"


def test_who_begins_to_look_later_counts_then(office: Office) -> None:
    sent(office)
    at = link(office)
    assert look(office, at, acted=False, seconds=0).why_not == "no_interaction"
    office.clock.advance(20_000)
    assert look(office, at, acted=True, seconds=15).counted
    assert office.row("proposals", "p1")["opens"] == 1


def test_one_session_counts_once_and_its_beats_change_no_row(office: Office) -> None:
    """R51: a page that stays open says so every few seconds, and tells nobody anything new."""
    sent(office)
    at = link(office)
    look(office, at)
    before = office.seq()
    for beat in range(2, 6):
        office.clock.advance(BEAT_S * 1000)
        assert look(office, at, seconds=beat * BEAT_S - 10, sections={"@prices": beat * 5}).counted
    assert office.seq() == before
    assert [(kept["seconds"], kept["beats"], kept["sections"]) for kept in sessions(office)] == [
        (5 * BEAT_S - 10, 5, {"@prices": 25})
    ]


def test_who_looks_again_counts_again_after_half_an_hour(office: Office) -> None:
    """R51."""
    sent(office)
    at = link(office)
    look(office, at, 1)
    office.clock.advance(AGAIN_MS - 1)
    assert look(office, at, 2) == opens.Seen(False, "recent")
    office.clock.advance(AGAIN_MS)
    assert look(office, at, 3).counted
    row, recipient = office.row("proposals", "p1"), office.row("proposal_recipients", "rita-p1")
    assert (row["opens"], recipient["opens"]) == (2, 2)
    assert (row["opened_at"], row["last_opened_at"]) == (
        office.clock.now_ms() - 2 * AGAIN_MS + 1,
        office.clock.now_ms(),
    )
    assert len(office.all(select(webhook_events).where(webhook_events.c.kind == "proposal.opened"))) == 1


def test_two_people_count_each(office: Office) -> None:
    sent(office)
    office.put(("proposal_recipients", "tom", {"proposal_key": "p1", "name": "Tom", "email": "tom@acme.example"}))
    assert look(office, link(office), 1).counted
    assert look(office, link(office, recipient="tom"), 2).counted
    assert look(office, link(office, recipient=None), 3).counted
    assert office.row("proposals", "p1")["opens"] == 3


@pytest.mark.parametrize("act", ["withdraw", "supersede"])
def test_nothing_counts_after_a_version_ended(office: Office, act: str) -> None:
    """R51: neither a new look nor more seconds of an old one."""
    ana = sent(office)
    at = link(office)
    look(office, at, 1)
    if act == "withdraw":
        order(ana, "withdraw")
    else:
        order(ana, "revise")
        order(ana, "send")
    before = office.row("proposals", "p1")["rev"]
    office.clock.advance(2 * AGAIN_MS)
    assert look(office, at, 1, seconds=20) == opens.Seen(True, None)
    assert look(office, at, 2) == opens.Seen(False, "not_current")
    assert office.row("proposals", "p1")["rev"] == before
    assert [kept["seconds"] for kept in sessions(office)] == [5, 0]


def test_a_draft_of_the_next_version_stays_a_draft(office: Office) -> None:
    ana = sent(office)
    order(ana, "revise")
    assert look(office, link(office)).counted
    assert (office.row("proposals", "p1")["status"], versions(office)[0]["status"]) == ("draft", "viewed")


def test_parallel_first_beats_count_once(office: Office) -> None:
    """R51: of one session, sent twice, and of two tabs of one person."""
    sent(office)
    at = link(office)
    found: list[opens.Seen] = []
    threads = [threading.Thread(target=lambda n=n: found.append(look(office, at, 1 + n % 2))) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 6
    assert [kept["counted"] for kept in sessions(office)].count(True) == 1
    assert office.row("proposals", "p1")["opens"] == 1
    assert [e.kind for e in office.database.read(timeline.events_of, "p1")].count("opened") == 1


def test_an_open_while_a_version_is_withdrawn_never_takes_it_back(office: Office) -> None:
    """R48, R51: whichever is first, the version ends withdrawn, and the chain of events holds."""
    ana = sent(office)
    at = link(office)
    threads = [threading.Thread(target=look, args=(office, at, n)) for n in range(1, 4)]
    threads.insert(1, threading.Thread(target=order, args=(ana, "withdraw")))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    events = office.database.read(timeline.events_of, "p1")
    counted = [kept["counted"] for kept in sessions(office)].count(True)
    assert (versions(office)[0]["status"], office.row("proposals", "p1")["status"]) == ("withdrawn", "withdrawn")
    assert [e.kind for e in events].count("opened") == office.row("proposals", "p1")["opens"] == counted <= 1
    assert timeline.broken_at("p1", events) is None


def test_a_session_says_no_more_than_so_often(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opens, "BEATS_MAX", 3)
    monkeypatch.setattr(opens, "SESSIONS_MAX", 2)
    sent(office)
    at = link(office)
    for beat in range(1, 6):
        office.clock.advance(1_000)
        look(office, at, 1, seconds=beat)
    for number in (2, 3, 4):
        look(office, at, number)
    assert [(kept["session"], kept["beats"]) for kept in sessions(office)] == [(session(1), 3), (session(2), 1)]
    assert BEATS_MAX * BEAT_S == 7_200


def test_parts_that_the_document_has_not_are_left_out(office: Office) -> None:
    part = {"key": "intro", "title": "Why", "text": "", "pictures": []}
    sent(office, sections=[part])
    look(office, link(office), sections={"intro": 2, "@terms": 1, "nonsense": 2, "__proto__": 5})
    assert sessions(office)[0]["sections"] == {"@terms": 1, "intro": 2}


def test_sessions_are_forgotten_and_what_counted_stays(office: Office) -> None:
    sent(office)
    look(office, link(office))
    office.clock.advance(400 * DAY_MS)
    assert office.database.write(opens.forget, office.clock.now_ms()) == 0
    office.clock.advance(1)
    assert office.database.write(opens.forget, office.clock.now_ms()) == 1
    assert (sessions(office), office.row("proposals", "p1")["opens"]) == ([], 1)


# -- pure -------------------------------------------------------------------------------------------------------------


def test_programs_say_so_and_browsers_do_not() -> None:
    """R51."""
    assert [agent for agent in PROGRAMS if not is_program(agent)] == []
    assert [agent for agent in (CHROME, IPHONE, EDGE, FIREFOX, TAB, SAMSUNG) if is_program(agent)] == []
    assert all(name == name.lower() for name in (*PREVIEWS, *FILTERS, *TOOLS))


@pytest.mark.parametrize(
    ("agent", "device"),
    [(CHROME, "phone"), (IPHONE, "phone"), (TAB, "tablet"), (EDGE, "desktop"), (FIREFOX, "desktop"), (None, None)],
)
def test_of_a_browser_the_kind_of_its_device_is_kept(agent: str | None, device: str | None) -> None:
    assert device_of(agent) == device


def test_a_request_that_comes_before_anybody_looks_says_so() -> None:
    """R51."""
    assert is_ahead({"sec-purpose": "prefetch;prerender"})
    assert is_ahead({"purpose": "Preview"})
    assert not is_ahead({"sec-fetch-mode": "cors", "purpose": ""})


looks = st.builds(
    Look,
    staff=st.booleans(),
    agent=st.sampled_from([CHROME, "curl/8", None]),
    prefetch=st.booleans(),
    current=st.booleans(),
    seconds=st.integers(0, 10),
    acted=st.booleans(),
    recently=st.booleans(),
)


@given(looks)
def test_it_counts_where_nothing_speaks_against_it(at: Look) -> None:
    """R51."""
    good = not at.staff and at.agent == CHROME and not at.prefetch and at.current and at.seconds >= 2 and at.acted
    assert (why_not(at) is None) == (good and not at.recently)


times = st.builds(
    Time, st.integers(0, 90_000), st.dictionaries(st.sampled_from(["a", "b", "@terms", "x"]), st.integers(0, 90_000))
)


@given(st.lists(st.tuples(times, st.integers(0, 40_000)), max_size=8))
def test_nobody_looks_longer_than_time_goes_by(beats: list[tuple[Time, int]]) -> None:
    """R51: whatever a page says, in whatever order."""
    known, time, gone = frozenset({"a", "b", "@terms"}), Time(0, {}), 0
    for said, passed in beats:
        before, gone = time, gone + passed
        time = bounded(before, said, known, since_last_ms=passed, since_first_ms=gone)
        assert before.seconds <= time.seconds <= BEAT_S + gone // 1000
        assert time.seconds - before.seconds <= -(-passed // 1000)
        assert sum(time.sections.values()) <= time.seconds
        assert time.sections.keys() <= known
        assert all(time.sections.get(key, 0) >= seconds for key, seconds in before.sections.items())
        again = bounded(time, said, known, since_last_ms=0, since_first_ms=gone)
        assert again.seconds == time.seconds


@given(st.lists(st.integers(1, BEAT_S), min_size=1, max_size=20))
def test_an_honest_page_loses_no_second(pauses: list[int]) -> None:
    time, visible = Time(0, {}), 0
    for place, pause in enumerate(pauses):
        visible += pause
        since_first = (visible - pauses[0]) * 1000
        passed = pause * 1000 if place else BEAT_S * 1000
        said = Time(visible, {"a": visible // 2, "b": visible - visible // 2})
        time = bounded(time, said, frozenset("ab"), since_last_ms=passed, since_first_ms=since_first)
        assert (time.seconds, sum(time.sections.values())) == (visible, visible)
        assert time.sections.get("a", 0) == visible // 2


@pytest.mark.parametrize("bad", ["", "x" * 21, "x" * 23, "../" + "x" * 19, "x" * 21 + "\n"])
def test_a_session_is_named_by_22_characters(bad: str) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(msgspec.json.encode({"session": bad, "seconds": 1}), type=Beat)
