"""Against finding a cost out by asking (R45): whoever does not see cost is told what a margin asks for by submitting
alone, and submits a few times a day.

Whether some price needs a director says on which side of a floor it lies, so enough answers find the cost. Reading
tells what discounts ask for, which is no secret; sending tells nothing of what was not submitted as it stands; and what
nobody may approve because of its margin is kept as such in place of being refused, which would leave no trace. Every
answer is in the proposal's history then, with its price and its author, and in the ledger if somebody was asked. An
exact cost is about fourteen answers: the person's whole allowance of most of a day, in plain sight, for one product.
"""

from sqlalchemy import func, select

from proposals import lifecycle
from proposals.needing import Needed
from sfa.core.access import SEES_COST
from sfa.core.errors import Refused
from sfa.crm.edits import Who
from sfa.db.cells import Cell
from sfa.db.tables import ROWS, history
from sfa.db.writes import Door

DAY_MS = 24 * 3_600_000
OF_ONE_MAX = 5  # a day, of one proposal: more is no negotiation
OF_PERSON_MAX = 20  # a day, of all that somebody has open
SUBMITTED = "proposal.submit"
_H, _P = history.c, ROWS["proposals"].c


def is_untold(who: Who, need: Needed) -> bool:
    """Whether there are margins that matter and that this person is not told of."""
    return need.floored and who.held is not None and who.role not in SEES_COST


def check_often(door: Door, who: Who, cell: Cell) -> None:
    """Refuses `approval_asked_often`, before anything is told."""
    if door.has_changed(cell.entity, cell.key):
        door.flush()
    since = door.now_ms - DAY_MS
    submits = select(func.count()).where(_H.entity == "proposals", _H.kind == SUBMITTED, _H.stored_at > since)
    mine = select(_P.key).where(_P.status.in_(lifecycle.OPEN), _P.submitted_by == who.user_key, _P.submitted_at > since)
    of_one = door.connection.execute(submits.where(_H.key == cell.key)).scalar() or 0
    of_person = door.connection.execute(submits.where(_H.key.in_(mine), _H.author_key == who.user_key)).scalar() or 0
    if of_one >= OF_ONE_MAX or of_person >= OF_PERSON_MAX:
        raise Refused("approval_asked_often", day=OF_ONE_MAX, person_day=OF_PERSON_MAX, key=cell.key)
