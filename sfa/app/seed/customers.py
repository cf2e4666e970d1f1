"""One customer with all that belongs to it: account, account team, contacts, visits with notes, deals, tasks.

A customer's rows come together, so that one transaction holds them all. Customers are dealt to the reps in turn: each
has as many as the others.
"""

from typing import Any

from sfa.app.seed.company import Company, Rep
from sfa.app.seed.costs import make_costs
from sfa.app.seed.deals import make_deals
from sfa.app.seed.field_work import make_field_work
from sfa.app.seed.made import DAYS_BACK, Days, Dice, Made
from sfa.app.seed.visits import make_visits
from sfa.app.seed.words import LANGUAGES, TAGS, TASKS, TITLES, Language
from sfa.core.ids import KeyMaker

TIERS = "AABBBCCCCD"
VISITS_OF_TIER = {"A": 4, "B": 3, "C": 2, "D": 1}  # at most, in the past year
CUSTOMER_SHARE, FORMER_SHARE, OVERLAY_SHARE, TASK_SHARE = 0.6, 0.05, 0.05, 0.2
PLANNED_VISITS_OF_A_REP = 40  # in the next two weeks
CITY_DEGREES = 0.09  # some ten kilometres around the centre
MONEY_PER_HEAD_MINOR = 140_000_00


class Customers:
    """Makes the customers of a company one after the other."""

    def __init__(self, company: Company, accounts: int, days: Days, dice: Dice, keys: KeyMaker) -> None:
        self._reps = company.reps
        self._days, self._dice, self._keys = days, dice, keys
        self._planned_share = min(0.4, PLANNED_VISITS_OF_A_REP * len(company.reps) / max(accounts, 1))

    def make(self, number: int) -> list[Made]:
        dice, days = self._dice, self._days
        rep = self._reps[number % len(self._reps)]
        words = LANGUAGES[rep.region.language]
        met = dice.between(60, DAYS_BACK - 30)
        tier = dice.one(TIERS)
        account, values = self._account(rep, words, tier)
        made = [Made("accounts", account, values, days.at_work(-met, dice), rep.key)]
        if dice.happens(OVERLAY_SHARE) and len(self._reps) > 1:
            other = self._reps[(rep.number + 1 + dice.below(len(self._reps) - 1)) % len(self._reps)]
            member = {"account_key": account, "user_key": other.key}
            made.append(Made("account_members", self._keys.new(), member, made[0].at, rep.manager))
        people = self._contacts(made, rep, words, values["website"])
        make_visits(made, rep, people, values, VISITS_OF_TIER[tier], self._planned_share, days, dice, self._keys)
        make_field_work(made, rep, number, days)
        make_deals(made, self._reps, rep, account, people, tier, min(met, 500), days, dice, self._keys)
        make_costs(made, rep.key, rep.region.currency, number, days)
        if dice.happens(TASK_SHARE):
            due = days.text(days.working(dice.between(-10, 20)))
            task = {"owner_key": rep.key, "account_key": account, "title": dice.one(TASKS), "due_on": due}
            task["done"] = dice.happens(0.3)  # type: ignore[assignment]
            made.append(Made("tasks", self._keys.new(), task, days.at_work(-dice.between(1, 30), dice), rep.key))
        return made

    def _account(self, rep: Rep, words: Language, tier: str) -> tuple[str, dict[str, Any]]:
        dice = self._dice
        trade, industry = dice.one(words.trades)
        owner, partner = dice.one(words.last), dice.one(words.last)
        site = f"{_plain(owner)}-{_plain(partner)}.example"
        employees = dice.between(4, 60) * (5 - "ABCD".index(tier)) ** 2
        drawn = dice.random()
        status = (
            "customer" if drawn < CUSTOMER_SHARE else "former" if drawn < CUSTOMER_SHARE + FORMER_SHARE else "prospect"
        )
        return self._keys.new(), {
            "name": f"{trade} {owner} {partner} {dice.one(words.forms)}",
            "territory_key": rep.territory,
            "status": status,
            "tier": tier,
            "industry": industry,
            "phone": self._phone(rep),
            "email": f"info@{site}",
            "website": f"https://{site}",
            "street": f"{dice.one(words.streets).replace('-', ' ')} {dice.between(1, 180)}",
            "postal_code": f"{dice.between(1_000, 98_999):05}",
            "city": rep.city.name,
            "region": rep.region.name,
            "country": rep.region.country,
            "latitude": round(rep.city.latitude + (dice.random() - 0.5) * CITY_DEGREES, 5),
            "longitude": round(rep.city.longitude + (dice.random() - 0.5) * CITY_DEGREES, 5),
            "employees": employees,
            "founded_year": dice.between(1925, 2021),
            "revenue_minor": employees * MONEY_PER_HEAD_MINOR,
            "revenue_currency": rep.region.currency,
            "tags": sorted({dice.one(TAGS) for _ in range(dice.below(3))}),
        }

    def _contacts(self, made: list[Made], rep: Rep, words: Language, website: str) -> list[tuple[str, str]]:
        """-> (key, name) of two to four people."""
        dice = self._dice
        account, at = made[0].key, made[0].at
        people = []
        for _ in range(dice.between(2, 4)):
            first, last = dice.one(words.first), dice.one(words.last)
            key, name = self._keys.new(), f"{first} {last}"
            values = {
                "account_key": account,
                "name": name,
                "title": dice.one(TITLES),
                "phone": self._phone(rep),
                "mobile": self._phone(rep),
                "email": f"{_plain(first)}.{_plain(last)}@{website[8:]}",
                "language": rep.region.language,
            }
            made.append(Made("contacts", key, values, at, rep.key))
            people.append((key, name))
        return people

    def _phone(self, rep: Rep) -> str:
        number = self._dice.below(900_000_000) + 100_000_000
        return f"{rep.region.dialling} {number // 1_000_000} {number // 1_000 % 1_000:03} {number % 1_000:03}"


_PLAIN = str.maketrans("áàâãäåéèêëíîïóôõöúûüçñ", "aaaaaaeeeeiiioooouuucn", " '.")


def _plain(name: str) -> str:
    return name.lower().translate(_PLAIN).replace("ß", "ss")
