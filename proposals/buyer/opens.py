"""Who looked at what was sent, and for how long at which part (R51).

A page says every few seconds how long it was looked at. That is kept beside the rows, in a row for each session, and
tells no device anything: only a session that counts changes the proposal, once, and for that alone its lock is taken.
Nobody can claim more seconds than the server's own clock saw go by. No address is kept here, and of the browser no more
than what kind of device it runs on.
"""

from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct
from sqlalchemy import Connection, delete, func, insert, or_, select, update

from proposals.buyer import links
from proposals.buyer.links import STAFF, Link
from proposals.buyer.people import NOT_CURRENT, RECENT, Look, Marks, device_of, why_not
from proposals.delivery.sending import event_key
from proposals.lifecycle import SENT, VIEWED, WITH_BUYER
from sfa.crm.about import lock_first
from sfa.db import outgoing
from sfa.db import proposal_timeline as timeline
from sfa.db.tables import proposal_opens, proposal_versions
from sfa.db.writes import Door, Origin

# Parts of a page that are no section of the document; a beat names these, or keys of sections.
PLACES = ("@summary", "@prices", "@terms", "@files", "@questions", "@answer")
BEAT_S = 15  # how often a page that is looked at says so; before the first, so much may have gone by
BEATS_MAX = 480  # of a session: two hours of looking
SESSIONS_MAX = 1_000  # of a link; beyond them only those that count are kept
AGAIN_MS = 30 * 60 * 1000  # who looks again within that time still looks
KEPT_MS = 400 * 24 * 3600 * 1000
SECONDS_MAX = 86_400
Seconds = Annotated[int, Meta(ge=0, le=SECONDS_MAX)]
_O, _V = proposal_opens.c, proposal_versions.c


class Beat(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a page says of itself: `session` is random and made anew by each load. Everything counts since the load, so
    that what is said twice is once: `seconds` that the page was visible, `sections` {key: seconds} of them that a part
    was in view (one part at a time), `acted` whether there was an input that the browser vouches for (`isTrusted`)."""

    session: Annotated[str, Meta(pattern=r"^[A-Za-z0-9_-]{22}\Z")]
    seconds: Seconds
    sections: Annotated[dict[Annotated[str, Meta(max_length=64)], Seconds], Meta(max_length=120)] = {}
    acted: bool = False


class Seen(Struct, frozen=True):
    """What became of a beat; the page is told nothing of it."""

    counted: bool
    why_not: str | None = None


class Time(Struct, frozen=True):
    """How long a page was looked at, and of that each part."""

    seconds: int
    sections: dict[str, int]


NO_TIME = Time(0, {})


class _Section(Struct, frozen=True):
    key: str


class _Sections(Struct, frozen=True):
    """Of a document what names its sections; nothing else of it is decoded."""

    sections: tuple[_Section, ...] = ()


def seen(connection: Connection, now_ms: int, link: Link, beat: Beat, marks: Marks) -> Seen:
    """Take what a page says. Once in a session, where it counts, the proposal is told."""
    this = (_O.link_key == link.link_key, _O.session == beat.session)
    row = connection.execute(select(proposal_opens).where(*this).with_for_update()).mappings().first()
    current = _status(connection, link) in WITH_BUYER
    if row is not None and (row["beats"] >= BEATS_MAX or not current):
        return Seen(row["counted"], row["why_not"])
    began_at = row["began_at"] if row is not None else now_ms
    time = _time(connection, now_ms, link, beat, row) if current else NO_TIME
    counted, reason = (row["counted"], row["why_not"]) if row is not None else (False, None)
    if not counted and reason != RECENT:
        look = Look(
            staff=marks.staff or link.kind == STAFF,
            agent=marks.visitor.agent,
            prefetch=marks.prefetch,
            current=current,
            seconds=time.seconds,
            acted=beat.acted,
        )
        reason = why_not(look)
        if reason is None:
            reason = _count(connection, now_ms, link, beat, marks, began_at)
            counted = reason is None
    said = {"last_at": now_ms, "seconds": time.seconds, "sections": time.sections}
    said |= {"counted": counted, "why_not": reason}
    if row is not None:
        connection.execute(update(proposal_opens).where(*this).values(**said, beats=row["beats"] + 1))
    elif counted or _has_room(connection, link):
        of: dict[str, Any] = {"link_key": link.link_key, "session": beat.session, "recipient_key": link.recipient_key}
        of |= {"proposal_key": link.proposal_key, "version": link.version, "began_at": began_at, "beats": 1}
        connection.execute(insert(proposal_opens), {**of, **said, "device": device_of(marks.visitor.agent)})
    return Seen(counted, reason)


def bounded(before: Time, said: Time, known: frozenset[str], *, since_last_ms: int, since_first_ms: int) -> Time:
    """What is believed of it (pure): never less than before, no second that did not go by on the server's clock, and
    in the parts together no more than in all. Parts that the document has not are left out."""
    ceiling = min(before.seconds + -(-since_last_ms // 1000), BEAT_S + since_first_ms // 1000, SECONDS_MAX)
    seconds = max(before.seconds, min(said.seconds, ceiling))
    sections = dict(before.sections)
    left = seconds - sum(sections.values())
    for key in sorted(known & said.sections.keys()):
        more = min(left, said.sections[key] - sections.get(key, 0))
        if more > 0:
            sections[key] = sections.get(key, 0) + more
            left -= more
    return Time(seconds, sections)


def forget(connection: Connection, now_ms: int) -> int:
    """Sessions of long ago; -> how many. What counted stays on the proposal and in its timeline."""
    return connection.execute(delete(proposal_opens).where(_O.last_at < now_ms - KEPT_MS)).rowcount


def _time(connection: Connection, now_ms: int, link: Link, beat: Beat, row: Any) -> Time:
    before = Time(row["seconds"], row["sections"]) if row is not None else NO_TIME
    since_last = max(0, now_ms - row["last_at"]) if row is not None else BEAT_S * 1000
    since_first = max(0, now_ms - row["began_at"]) if row is not None else 0
    known = {key for key in beat.sections if key in PLACES or key in before.sections}
    if known != beat.sections.keys():
        known |= beat.sections.keys() & _sections_of(connection, link)
    said = Time(beat.seconds, beat.sections)
    return bounded(before, said, frozenset(known), since_last_ms=since_last, since_first_ms=since_first)


def _status(connection: Connection, link: Link) -> str | None:
    query = select(_V.status).where(_V.proposal_key == link.proposal_key, _V.version == link.version)
    found: str | None = connection.execute(query).scalar()
    return found


def _sections_of(connection: Connection, link: Link) -> set[str]:
    query = select(_V.document).where(_V.proposal_key == link.proposal_key, _V.version == link.version)
    body = connection.execute(query).scalar()
    return {one.key for one in msgspec.json.decode(body, type=_Sections).sections} if body is not None else set()


def _has_room(connection: Connection, link: Link) -> bool:
    query = select(func.count()).where(_O.link_key == link.link_key)
    return (connection.execute(query).scalar() or 0) < SESSIONS_MAX


def _count(connection: Connection, now_ms: int, link: Link, beat: Beat, marks: Marks, began_at: int) -> str | None:
    """Somebody looks: tell the proposal, under its lock. -> what speaks against it after all."""
    door, origin = Door(connection, now_ms), Origin(author_key=None, at=now_ms, stored_at=now_ms)
    lock_first(door, "proposals", link.proposal_key)
    proposal = door.cell("proposals", link.proposal_key)
    links.check_open(connection, link, now_ms)
    status = _status(connection, link)
    if status not in WITH_BUYER or not proposal.exists:
        return NOT_CURRENT
    if _looked_recently(connection, link, beat.session, began_at):
        return RECENT
    row = proposal.row
    said: dict[str, Any] = {"opens": row["opens"] + 1, "last_opened_at": now_ms}
    said["opened_at"] = row["opened_at"] or now_ms
    if status == SENT:
        this = (_V.proposal_key == link.proposal_key, _V.version == link.version, _V.status == SENT)
        connection.execute(update(proposal_versions).where(*this).values(status=VIEWED))
        if row["version"] == link.version and row["status"] == SENT:
            said["status"] = VIEWED
    door.put(proposal, said, origin, "open")
    if link.recipient_key is not None:
        _tell_recipient(door, link.recipient_key, origin)
    door.flush()
    how = {"device": device_of(marks.visitor.agent), "link_key": link.link_key}
    at = (connection, link.proposal_key, link.version, now_ms)
    timeline.note(*at, timeline.OPENED, recipient_key=link.recipient_key, visitor=marks.visitor, detail=how)
    data = {"proposal_key": link.proposal_key, "deal_key": row["deal_key"], "number": row["number"]}
    data |= {"version": link.version, "recipient_key": link.recipient_key}
    event = event_key("proposal.opened", link.proposal_key, link.version)
    outgoing.emit(connection, "proposal.opened", event, now_ms, data)
    return None


def _looked_recently(connection: Connection, link: Link, session: str, began_at: int) -> bool:
    """Whether the same person looked at this version, in another session, less than half an hour before this one."""
    whose = or_(_O.link_key == link.link_key, _O.recipient_key == link.recipient_key)
    if link.recipient_key is None:
        whose = _O.link_key == link.link_key
    of = (_O.proposal_key == link.proposal_key, _O.version == link.version, _O.session != session, whose)
    people = or_(_O.counted, _O.why_not == RECENT)
    query = select(_O.session).where(*of, people, _O.last_at > began_at - AGAIN_MS).limit(1)
    return connection.execute(query).first() is not None


def _tell_recipient(door: Door, key: str, origin: Origin) -> None:
    cell = door.cell("proposal_recipients", key)
    if not cell.exists:
        return
    row = cell.row
    said: dict[str, Any] = {"opens": row["opens"] + 1, "last_opened_at": origin.at}
    said["opened_at"] = row["opened_at"] or origin.at
    if row["state"] in ("new", "mailed", "bounced"):
        said |= {"state": "opened", "problem": None}
    door.put(cell, said, origin, "open")
