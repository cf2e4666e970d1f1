"""What people do about hand-overs (S37): they accept and decline, on several phones at once and at a screen.

It draws from a chance and from words of its own, so that what else happens in a seed is not shifted by it.
"""

import random
from collections.abc import Callable, Iterable

from sqlalchemy import Connection

from sfa.core.errors import Refused
from sfa.crm.edits import Who
from sfa.db.tables import ROWS
from sfa.db.writes import Door, Origin
from sync.decisions import COMMANDS
from tests.older_contract import said
from tests.simulation.actions import TEXTS
from tests.simulation.phones import ModelPhone, Part, Phone, Rows
from tests.simulation.server import Server

FIRST_WORD = 10**6  # far above those of everybody else
ROOT = Who("root", "admin", None)


class Handing:
    """`known` are the keys that were ever made."""

    def __init__(self, seed: int, known: list[tuple[str, str]], log: Callable[[str], None]) -> None:
        self._rng, self._known, self._log = random.Random(f"handing {seed}"), known, log
        self._words = FIRST_WORD

    def work(self, phone: Phone, rows: Rows) -> None:
        """Whoever sees a hand-over cares about it, the oldest mostly: so that two phones decide about the same one."""
        if self._rng.random() < 0.15:
            self._guess(phone)
        waiting = _waiting(rows)
        if waiting and self._rng.random() < 0.5:
            self._do(phone, waiting[0] if self._rng.random() < 0.7 else self._rng.choice(waiting))

    def decide_the_rest(self, phones: Iterable[Phone], server: Server) -> None:
        """With everything at hand, people decide about most of it: several about the same, phones and a screen. What
        they decide travels in the rounds that follow."""
        for phone in phones:
            for key in _waiting(phone.rows()):
                if self._rng.random() < 0.7:
                    self._do(phone, key)
        if self._rng.random() < 0.4:
            server.write(self._at_a_screen, server.clock.now_ms())

    def _guess(self, phone: Phone) -> None:
        """What no honest app sends: an edit of any row that there is, on a revision that the phone makes up."""
        places = [place for place in self._known if place[0] in TEXTS and place[0] != "notes"]
        if not isinstance(phone, ModelPhone) or not places:
            return
        entity, key = self._rng.choice(places)
        words = said(phone.device.contract, entity, {self._rng.choice(TEXTS[entity]): self._word()})
        if not words:
            return  # its version does not know them
        mutation = phone.device.queue("update", entity, key, words)
        mutation["base"] = self._rng.randrange(5)
        self._log(f"{phone.key} guesses {mutation}")

    def _do(self, phone: Phone, key: str) -> None:
        part = self._decision(key)
        if phone.do(part):
            self._log(f"{phone.key} decides {part}")

    def _decision(self, key: str) -> Part:
        if self._rng.random() < 0.65:
            return "suggestion.accept", "suggestions", key, {}
        return "suggestion.decline", "suggestions", key, {"reason": self._word()} if self._rng.random() < 0.8 else {}

    def _word(self) -> str:
        self._words += 1
        return f"w{self._words}"

    def _at_a_screen(self, connection: Connection, now_ms: int) -> None:
        """An administrator accepts one of those that are there, decided about or not."""
        door, table = Door(connection, now_ms), ROWS["suggestions"]
        query = table.select().where(table.c.kind == "handover").order_by(table.c.key)
        keys = connection.execute(query).scalars().all()
        if not keys:
            return
        key, mark = self._rng.choice(keys), door.mark()
        origin = Origin(author_key="root", at=now_ms, stored_at=now_ms)
        try:
            COMMANDS["suggestion.accept"].act(door, ROOT, door.cell("suggestions", key), {}, origin)
            self._log(f"screen: accepts {key}")
        except Refused as refused:
            door.undo_to(mark)
            self._log(f"screen: cannot accept {key}: {refused}")
        door.flush()


def _waiting(rows: Rows) -> list[str]:
    kinds = ((key, row) for (entity, key), (_, row) in rows.items() if entity == "suggestions")
    return sorted(key for key, row in kinds if (row["kind"], row["status"]) == ("handover", "open"))
