"""What people do on their phones, offline: edits, commands, units, and what no app should let them do.

Each function looks at what the phone holds and answers one part `(kind, entity, key, fields)`, or None where there is
nothing to do it with. Texts are unique *tokens*, so that the checkers can tell where every word went.
"""

import random
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tests.simulation.company import PEOPLE, REPS, STAGES_OPEN, TEAMS, TERRITORIES
from tests.simulation.phones import REPAIR, Part, Phone, Rows

TEXTS = {
    "accounts": ("name", "phone", "website", "industry", "street"),
    "contacts": ("name", "phone", "title", "mobile"),
    "visits": ("purpose", "outcome"),
    "notes": ("body",),
    "tasks": ("title",),
    "deals": ("name", "next_step"),
}


SIMPLE = ("name", "purpose", "title")


class Maker:
    """Hands out tokens and keys; `known` are the keys ever made, to be met again by people who may not see them."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.known: list[tuple[str, str]] = []
        self.merged: list[tuple[str, str, str]] = []  # entity, loser, into: what somebody merged, or wanted to
        self._tokens = 0
        self._keys = 0

    @property
    def made(self) -> int:
        return self._tokens

    def token(self) -> str:
        self._tokens += 1
        return f"w{self._tokens}"

    def key(self, entity: str) -> str:
        self._keys += 1
        key = f"{entity[:4]}.{self._keys}"
        self.known.append((entity, key))
        return key


Action = Callable[[Maker, Phone, Rows], Part | None]


def pick(maker: Maker, rows: Rows, *entities: str) -> tuple[str, str, dict[str, Any]] | None:
    """A row that the phone holds, one of few, so that people meet."""
    there = sorted({place[0] for place in rows if place[0] in entities})
    if not there:
        return None
    entity = maker.rng.choice(there)
    keys = sorted(key for found, key in rows if found == entity)
    key = maker.rng.choice(keys[:2] if maker.rng.random() < 0.7 else keys)
    return entity, key, rows[entity, key][1]


def edit_text(maker: Maker, phone: Phone, rows: Rows) -> Part | None:
    found = pick(maker, rows, *TEXTS)
    if found is None:
        return None
    entity, key, _ = found
    texts = TEXTS[entity][:2] if maker.rng.random() < 0.7 else TEXTS[entity]
    fields = maker.rng.sample(texts, min(len(texts), maker.rng.choice((1, 1, 2))))
    if entity == "notes":
        return "update", entity, key, {"body": _written_on(maker.token(), phone, key, rows[entity, key])}
    return "update", entity, key, {field: maker.token() for field in fields}


def _written_on(token: str, phone: Phone, key: str, seen: tuple[int, dict[str, Any]]) -> str:
    """A note's text with one word more, and sometimes one less: on top of the phone's own earlier save, if no page
    came in between. Where is the token's own matter, so that no other choice of the seed shifts."""
    rev, row = seen
    drafted = phone.drafts.get(key)
    words = (drafted[1] if drafted is not None and drafted[0] == rev else str(row["body"])).split()
    number = int(token[1:])
    if number % 4 == 0 and words:
        del words[number % len(words)]
    words.insert(number % (len(words) + 1), token)
    phone.drafts[key] = (rev, " ".join(words))
    return phone.drafts[key][1]


def edit_group(maker: Maker, phone: Phone, rows: Rows) -> Part | None:
    found = pick(maker, rows, "accounts", "deals", "visits", "deal_lines")
    if found is None:
        return None
    entity, key, row = found
    rng = maker.rng
    if entity == "deal_lines":
        return "update", entity, key, {"position": rng.randrange(100)}
    if entity == "visits":
        return "update", entity, key, {"planned_at": rng.randrange(10**9), "planned_minutes": rng.randrange(90)}
    if entity == "deals":
        return "update", entity, key, {"amount_minor": rng.randrange(10**6), "currency": rng.choice(("EUR", "USD"))}
    if rng.random() < 0.5:
        tags = [tag for tag in row["tags"] if rng.random() < 0.7]
        return "update", entity, key, {"tags": [*tags, maker.token()][-20:]}
    return "update", entity, key, {"city": maker.token(), "country": maker.token()}


def create(maker: Maker, phone: Phone, rows: Rows) -> Part | None:
    rng = maker.rng
    entity = rng.choice(("contacts", "contacts", "visits", "notes", "tasks", "deals", "accounts", "deal_lines"))
    key = maker.key(entity)
    if rng.random() < 0.06:
        entity, key = rng.choice(maker.known)  # in use, or even another entity's
    account = pick(maker, rows, "accounts")
    deal = pick(maker, rows, "deals")
    fields: dict[str, Any] = {"name": maker.token()}
    if entity == "accounts":
        fields["territory_key"] = rng.choice(TERRITORIES)
    elif entity == "tasks":
        fields = {"title": maker.token(), "owner_key": phone.user}
    elif entity == "deal_lines":
        if deal is None:
            return None
        fields = {"deal_key": deal[1], "product_key": "pump", "position": rng.randrange(100)}
    elif entity == "deals":
        fields |= {"owner_key": phone.user, "stage_key": "lead"}
        if account is not None and rng.random() < 0.7:
            fields["account_key"] = account[1]
    elif account is None:
        return None
    elif entity == "contacts":
        fields["account_key"] = account[1]
    elif entity == "visits":
        fields = {"account_key": account[1], "owner_key": phone.user, "purpose": maker.token()}
    else:
        entity = "notes"
        fields = {"account_key": account[1], "author_key": phone.user, "body": maker.token()}
    return "create", entity, key, fields


def delete(maker: Maker, phone: Phone, rows: Rows) -> Part | None:
    found = pick(maker, rows, "contacts", "notes", "tasks", "visits", "deals", "deal_lines", "accounts")
    return ("delete", found[0], found[1], {}) if found is not None else None


def command(maker: Maker, phone: Phone, rows: Rows) -> Part | None:
    found = pick(maker, rows, "deals", "visits")
    if found is None:
        return None
    entity, key, _ = found
    rng = maker.rng
    if entity == "visits":
        kind = rng.choice(("visit.check_in", "visit.check_out", "visit.cancel", "visit.no_show"))
        place = {"latitude": 1.5, "longitude": 2.5} if kind == "visit.check_in" and rng.random() < 0.5 else {}
        return kind, entity, key, {"outcome": maker.token()} if kind == "visit.check_out" else place
    kind = rng.choice(("deal.move", "deal.win", "deal.lose", "deal.reopen"))
    arguments: dict[str, Any] = {}
    if kind in ("deal.move", "deal.reopen"):
        arguments = {"stage_key": rng.choice(STAGES_OPEN)}
    elif kind == "deal.lose":
        arguments = {"reason": maker.token()}
    return _varied(kind, arguments, maker.made + len(rows)), entity, key, arguments


def _varied(kind: str, arguments: dict[str, Any], number: int) -> str:
    """The same command or one of its neighbours, by a number that draws nothing from the seed."""
    if kind == "deal.win" and number % 2:
        return "deal.sign" if number % 4 == 1 else "deal.invoice"
    if kind == "deal.lose" and number % 2:
        arguments |= (
            {"reason_key": "rival", "competitor_key": "acme-pumps"} if number % 4 == 1 else {"reason_key": "rival"}
        )
    return "deal.transfer" if kind == "deal.move" and number % 3 == 0 else kind


def settle(maker: Maker, phone: Phone, rows: Rows) -> Part | None:
    waiting = {place: row for place, row in rows.items() if row[1].get("status") in ("open", "closed")}
    found = None
    if maker.rng.random() < 0.5:  # they are rare
        found = pick(maker, waiting, "suggestions")
    found = found or pick(maker, waiting, "conflicts", "refusals", "suggestions")
    if found is None:
        return None
    if found[0] == "suggestions":
        return maker.rng.choice(("suggestion.accept", "suggestion.decline")), "suggestions", found[1], {}
    if found[0] == "refusals":
        if is_readable(found[2]) and maker.rng.random() < 0.8:
            return REPAIR, "refusals", found[1], repair_of(maker, found[2], rows)
        return "refusal.dismiss", "refusals", found[1], {}
    return maker.rng.choice(("conflict.restore", "conflict.dismiss")), "conflicts", found[1], {}


def merge(maker: Maker, phone: Phone, rows: Rows) -> Part | None:
    entity = maker.rng.choice(("accounts", "contacts"))
    loser, into = pick(maker, rows, entity), pick(maker, rows, entity)
    if loser is None or into is None:
        return None
    maker.merged.append((entity, loser[1], into[1]))
    return f"{entity[:-1]}.merge", entity, loser[1], {"into": into[1]}


def unmerge(maker: Maker, phone: Phone, rows: Rows) -> Part | None:
    """A merge that somebody made, or wanted to, is undone, with what came since or without."""
    found = [(entity, loser, into) for entity, loser, into in maker.merged if (entity, into) in rows]
    if not found:
        return merge(maker, phone, rows)
    entity, loser, into = maker.rng.choice(found)
    return f"{entity[:-1]}.unmerge", entity, into, {"loser": loser, "all": maker.rng.random() < 0.5}


def hand_over(maker: Maker, phone: Phone, rows: Rows) -> Part | None:
    """What managers do, and what reps are refused."""
    rng = maker.rng
    if phone.user in REPS and rng.random() < 0.7:
        return edit_text(maker, phone, rows)
    choice = rng.randrange(6)
    account, deal, member = (pick(maker, rows, e) for e in ("accounts", "deals", "account_members"))
    if choice == 0 and account is not None:
        return "update", "accounts", account[1], {"territory_key": rng.choice((*TERRITORIES, None))}
    if choice == 1 and deal is not None:
        return "update", "deals", deal[1], {"owner_key": rng.choice(PEOPLE), "splits": []}
    if choice == 2 and deal is not None:
        return "update", "deals", deal[1], {"splits": splits(rng, deal[2]["owner_key"])}
    if choice == 3 and account is not None:
        key = maker.key("account_members")
        return "create", "account_members", key, {"account_key": account[1], "user_key": rng.choice(PEOPLE)}
    if choice == 4 and member is not None:
        if account is not None and rng.random() < 0.5:
            return "update", "account_members", member[1], {"account_key": account[1]}
        return "delete", "account_members", member[1], {}
    child = pick(maker, rows, "contacts", "deals", "visits", "notes")
    if child is None or account is None:
        return None
    return "update", child[0], child[1], {"account_key": account[1]}


def stumble(maker: Maker, phone: Phone, rows: Rows) -> list[Part]:
    """A new customer with something wrong, and work on top of it: all of it is refused, until the first is repaired."""
    found = pick(maker, rows, "accounts")
    if found is None:
        return []
    account, contact = maker.key("accounts"), maker.key("contacts")
    wrong = {"name": maker.token(), "territory_key": found[2]["territory_key"], "parent_key": "nowhere"}
    parts: list[Part] = [
        ("create", "accounts", account, wrong),
        ("create", "contacts", contact, {"account_key": account, "name": maker.token()}),
        ("update", "contacts", contact, {"phone": maker.token()}),
        ("update", "accounts", account, {"website" if "website" in found[2] else "name": maker.token()}),  # older apps
    ]
    return parts[: maker.rng.choice((2, 3, 4))]


def is_readable(refusal: Mapping[str, Any]) -> bool:
    return bool(refusal["entity"]) and isinstance(refusal["mutation"], dict) and refusal["code"] != "mutation_reused"


def repair_of(maker: Maker, refusal: Mapping[str, Any], rows: Rows) -> dict[str, Any]:
    """What its author would change of a refused mutation: what was wrong, perhaps a word more, perhaps nothing."""
    rng, content = maker.rng, refusal["mutation"]
    said = content.get("set", {})
    fields: dict[str, Any] = {}
    accounts = sorted(key for entity, key in rows if entity == "accounts")
    texts = TEXTS.get(refusal["entity"], ("",))
    if content["kind"] in ("create", "update"):
        if "account_key" in said and accounts and rng.random() < 0.6:
            fields["account_key"] = rng.choice(accounts)
        if texts[0] in SIMPLE and (texts[0] not in said or rng.random() < 0.5):
            fields[texts[0]] = maker.token()
    without = [f for f in ("parent_key", "wings", "latitude", "longitude", "created_by") if f in said]
    taken = content["kind"] == "create" and refusal["code"] in ("key_taken", "key_invalid")
    return {"set": fields, "without": without, "key": maker.key(refusal["entity"]) if taken else refusal["row_key"]}


def splits(rng: random.Random, owner: str) -> list[dict[str, Any]]:
    other = rng.choice([person for person in PEOPLE if person != owner])
    return [{"user_key": owner, "share_bp": 6000}, {"user_key": other, "share_bp": 4000}]


def plan_quota(maker: Maker, phone: Phone, rows: Rows) -> Part | None:
    owner = maker.rng.choice(({"user_key": maker.rng.choice(PEOPLE)}, {"team_key": maker.rng.choice(TEAMS)}))
    fields = {**owner, "period_key": "fy", "measure": "unique_contacts", "target": maker.rng.randrange(100)}
    return "create", "quotas", maker.key("quotas"), fields


def nonsense(maker: Maker, phone: Phone, rows: Rows) -> Part:
    """What no app sends: it must be refused, kept and harm nothing."""
    entity, key = maker.rng.choice(maker.known) if maker.known else ("contacts", "zoe")
    parts: Sequence[Part] = (
        ("update", entity, key, {"name": maker.token()}),  # perhaps not visible
        ("update", "contacts", "nobody", {"name": maker.token()}),
        ("create", "contacts", maker.key("contacts"), {"name": maker.token(), "account_key": "nowhere"}),
        ("create", "contacts", "bad key!", {"name": maker.token(), "account_key": "acme"}),
        ("create", "dragons", "d", {"name": maker.token()}),
        ("update", "accounts", "acme", {"wings": maker.token()}),
        ("update", "accounts", "acme", {"latitude": 400.0, "longitude": maker.token()}),
        ("update", "accounts", "acme", {"created_by": "ana", "name": maker.token()}),
        ("update", "deals", "deal-a", {"stage_key": "won", "name": maker.token()}),
        ("deal.explode", "deals", "deal-a", {"reason": maker.token()}),
        ("account.merge", "accounts", "acme", {"into": "acme"}),
        ("create", "contacts", maker.key("contacts"), {"phone": maker.token()}),
        ("create", "conflicts", "c", {"status": "open", "reason": maker.token()}),
        ("update", "unit_costs", "c-pump", {"amount_minor": 1}),
    )
    return maker.rng.choice(parts)


ACTIONS: tuple[tuple[Action, int], ...] = (
    (edit_text, 34),
    (edit_group, 10),
    (create, 18),
    (delete, 8),
    (command, 12),
    (settle, 12),
    (merge, 5),
    (unmerge, 5),
    (hand_over, 10),
    (plan_quota, 1),
)


def some_part(maker: Maker, phone: Phone, rows: Rows) -> Part | None:
    actions, weights = zip(*ACTIONS, strict=True)
    action: Action = maker.rng.choices(actions, weights)[0]
    return action(maker, phone, rows)
