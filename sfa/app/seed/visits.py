"""What happened at a customer's, and what is planned: visits, mostly completed, with the notes of most of them."""

from typing import Any

from sfa.app.seed.company import Rep
from sfa.app.seed.made import MINUTE_MS, Days, Dice, Made
from sfa.app.seed.words import NOTES, OUTCOMES, PURPOSES
from sfa.core.ids import KeyMaker

DAYS_OF_VISITS = 365
COMPLETED_SHARE, CANCELLED_SHARE, NOTED_SHARE = 0.9, 0.06, 0.7
DAYS_PLANNED = 12


def make_visits(
    made: list[Made],
    rep: Rep,
    people: list[tuple[str, str]],
    account: dict[str, Any],
    visits_max: int,
    planned_share: float,
    days: Days,
    dice: Dice,
    keys: KeyMaker,
) -> None:
    """Add up to `visits_max` visits of the past year, newest last, and perhaps one that is planned."""
    key = made[0].key
    oldest = min(DAYS_OF_VISITS, (days.now_ms - made[0].at) // (24 * 60 * MINUTE_MS) - 7)
    past = sorted((dice.between(3, max(oldest, 3)) for _ in range(dice.between(0, visits_max))), reverse=True)
    for ago in past:
        _past_visit(made, key, rep, dice.one(people), account, -ago, days, dice, keys)
    if dice.happens(planned_share):
        ahead = days.working(dice.between(0, DAYS_PLANNED))
        visit = _planned(key, rep, dice.one(people)[0], days.at_work(ahead, dice), dice)
        made.append(Made("visits", keys.new(), visit, days.at_work(-dice.between(1, 10), dice), rep.key))


def _planned(account: str, rep: Rep, contact: str, planned_at: int, dice: Dice) -> dict[str, Any]:
    quarter = 15 * MINUTE_MS
    return {
        "account_key": account,
        "owner_key": rep.key,
        "contact_key": contact,
        "purpose": dice.one(PURPOSES),
        "planned_at": planned_at // quarter * quarter,
        "planned_minutes": dice.one((30, 45, 60, 90)),
    }


def _past_visit(
    made: list[Made],
    account: str,
    rep: Rep,
    contact: tuple[str, str],
    place: dict[str, Any],
    day: int,
    days: Days,
    dice: Dice,
    keys: KeyMaker,
) -> None:
    day = min(days.working(day), -1)
    visit = _planned(account, rep, contact[0], days.at_work(day, dice), dice)
    drawn = dice.random()
    arrived = visit["planned_at"] + dice.between(-10, 25) * MINUTE_MS
    left = arrived + dice.between(15, 110) * MINUTE_MS
    if drawn < COMPLETED_SHARE:
        visit.update(
            status="completed",
            checked_in_at=arrived,
            checked_out_at=left,
            latitude=round(place["latitude"] + (dice.random() - 0.5) * 0.0006, 6),
            longitude=round(place["longitude"] + (dice.random() - 0.5) * 0.0006, 6),
            accuracy_m=float(dice.between(4, 40)),
            outcome=dice.one(OUTCOMES),
        )
    else:
        visit["status"] = "cancelled" if drawn < COMPLETED_SHARE + CANCELLED_SHARE else "no_show"
    key = keys.new()
    made.append(Made("visits", key, visit, left, rep.key))
    if drawn < COMPLETED_SHARE and dice.happens(NOTED_SHARE):
        body = dice.one(NOTES).format(count=dice.between(2, 24), name=contact[1])
        note = {"account_key": account, "visit_key": key, "author_key": rep.key, "written_at": left, "body": body}
        made.append(Made("notes", keys.new(), note, left, rep.key))
