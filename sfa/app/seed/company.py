"""The company itself: people, teams, territories, catalogue, calendar and quotas, parents before children.

A manager leads eight reps of one region; each rep has a city, or a second or third district of one where there are
more reps than cities. Regions come one after the other, so a small company lies in one country and a large one in six.
"""

from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

from sfa.app.seed.costs import company_costs
from sfa.app.seed.forecasts import make_forecasts
from sfa.app.seed.made import DAYS_BACK, ZONE, Days, Dice, Made
from sfa.app.seed.places import REGIONS, City, Region
from sfa.app.seed.words import LANGUAGES, LOST_REASONS
from sfa.core.periods import FiscalCalendars, PeriodKind

REPS_OF_A_MANAGER = 8
HISTORY_YEARS = 2
CURRENCY = "EUR"
# Euro per unit in month m of the data: a slow wave around these.
RATES = {"GBP": 1_160, "USD": 910, "CHF": 1_050}
PERMILLE_OF_GBP = 870  # list prices in pounds, of those in euro
COST_STEP_PERCENT, PRICE_STEP_PERCENT = 2, 3  # what a year adds
REVENUE_TARGETS = (150_000_00, 180_000_00, 210_000_00, 260_000_00)
CONTACT_TARGETS = (60, 75, 90)

STAGES: tuple[tuple[str, str, str, int, str], ...] = (
    ("lead", "Lead", "open", 500, "pipeline"),
    ("qualified", "Qualified", "open", 2_000, "pipeline"),
    ("offer", "Offer", "open", 4_500, "best_case"),
    ("negotiation", "Negotiation", "open", 7_500, "commit"),
    ("won", "Won", "won", 10_000, "closed"),
    ("lost", "Lost", "lost", 0, "omitted"),
)


STALLED_DAYS = 30
CRITERIA = {"qualified": [{"kind": "field", "field": "amount"}]}
COMPETITORS = {"nordpump": "Nordpump", "aquadrive": "Aquadrive", "valvia": "Valvia"}


class Product(NamedTuple):
    key: str
    name: str
    family: str
    price_minor: int  # of the current year, in euro
    cost_minor: int


PRODUCTS: tuple[Product, ...] = (
    Product("p-c100", "Compact pump C100", "Pumps", 890_00, 520_00),
    Product("p-c200", "Compact pump C200", "Pumps", 1_450_00, 830_00),
    Product("p-x500", "Process pump X500", "Pumps", 6_900_00, 4_150_00),
    Product("p-x900", "Process pump X900", "Pumps", 18_400_00, 11_900_00),
    Product("p-dosing", "Dosing unit D20", "Pumps", 2_380_00, 1_310_00),
    Product("p-ball", "Ball valve DN50", "Valves", 118_00, 61_00),
    Product("p-control", "Control valve DN80", "Valves", 1_120_00, 690_00),
    Product("p-check", "Check valve DN100", "Valves", 245_00, 133_00),
    Product("p-drive", "Frequency drive F15", "Drives", 1_760_00, 1_040_00),
    Product("p-panel", "Control panel P4", "Drives", 3_290_00, 1_980_00),
    Product("p-seal", "Long-life seal kit", "Service", 64_00, 19_00),
    Product("p-care", "Service contract, one year", "Service", 1_200_00, 540_00),
)


class Rep(NamedTuple):
    key: str
    name: str
    number: int
    manager: str
    region: Region
    city: City
    territory: str


class Company(NamedTuple):
    rows: list[Made]
    reps: list[Rep]
    emails: dict[str, str]  # user key -> e-mail, the heads first


def price_in(price_minor: int, currency: str) -> int:
    """A list price of that price list, in whole units."""
    return price_minor if currency == CURRENCY else price_minor * PERMILLE_OF_GBP // 100_000 * 100


def make_company(reps: int, days: Days, dice: Dice) -> Company:
    at, since = days.at(-DAYS_BACK, 0), f"{days.year - HISTORY_YEARS}-01-01"
    made: list[Made] = []
    emails: dict[str, str] = {}
    seen: Counter[str] = Counter()

    def add(entity: str, key: str, **values: object) -> None:
        made.append(Made(entity, key, values, at))

    def person(key: str, language: str, role: str, title: str) -> str:
        words = LANGUAGES[language]
        name = f"{dice.one(words.first)} {dice.one(words.last)}"
        place = _address(name)
        seen[place] += 1
        emails[key] = f"{place}{seen[place] if seen[place] > 1 else ''}@example.com"
        add("users", key, name=name, email=emails[key], role=role, title=title)
        return name

    def join(team: str, user: str, role: str) -> None:
        add("team_members", f"in-{user}", team_key=team, user_key=user, role=role, valid_from=since)

    add("organisations", "company", name="Ibaia Pumps", zone=ZONE, currency=CURRENCY)
    person("director-1", "es", "director", "Sales director")
    person("finance-1", "de", "finance", "Head of finance")
    person("admin-1", "en", "admin", "Administrator")
    add("teams", "sales", name="Sales")
    add("team_edges", "under-sales", team_key="sales", valid_from=since)
    join("sales", "director-1", "manager")
    add("territories", "europe", name="Europe")
    add("territory_edges", "under-europe", territory_key="europe", valid_from=since)
    seats: list[Rep] = []
    for number in range(reps):
        team, place = divmod(number, REPS_OF_A_MANAGER)
        turn, region_number = divmod(team, len(REGIONS))
        region = REGIONS[region_number]
        manager, team_key, region_key = f"manager-{team + 1:03}", f"team-{team + 1:03}", f"region-{region_number + 1}"
        suffix = f" {turn + 1}" if turn else ""
        if place == 0:
            person(manager, region.language, "manager", "Regional manager")
            add("teams", team_key, name=f"{region.name}{suffix}")
            add("team_edges", f"under-{team_key}", team_key=team_key, parent_key="sales", valid_from=since)
            join(team_key, manager, "manager")
            if turn == 0:
                add("territories", region_key, name=region.name)
                below = {"territory_key": region_key, "parent_key": "europe"}
                add("territory_edges", f"under-{region_key}", **below, valid_from=since)
        user, territory, city = f"rep-{number + 1:04}", f"city-{number + 1:04}", region.cities[place]
        name = person(user, region.language, "rep", "Sales representative")
        join(team_key, user, "member")
        add("territories", territory, name=f"{city.name}{suffix}")
        add("territory_edges", f"under-{territory}", territory_key=territory, parent_key=region_key, valid_from=since)
        add("territory_members", f"covers-{user}", territory_key=territory, user_key=user, valid_from=since)
        seats.append(Rep(user, name, number, manager, region, city, territory))
    made.extend(_profiles(at))
    made.extend(_catalogue(days, at))
    made.extend(_calendar(days, at))
    made.extend(_quotas(seats, days, dice, at))
    made.extend(company_costs([seat.key for seat in seats], days, at))
    made.extend(make_forecasts([seat.key for seat in seats], days, at))
    return Company(made, seats, emails)


def _address(name: str) -> str:
    plain = name.lower().translate(str.maketrans("áàâãäåéèêëíîïóôõöúûüçñß", "aaaaaaeeeeiiioooouuucns"))
    return "".join(c if c.isascii() and c.isalnum() else "." for c in plain)


def _profiles(at: int) -> Iterator[Made]:
    """Who leads others carries half a year of visits and notes, and deals as long as everybody."""
    for role in ("manager", "director"):
        yield Made("device_profiles", role, {"role": role, "visit_days": 183, "note_days": 183}, at)


def _catalogue(days: Days, at: int) -> Iterator[Made]:
    """Prices rise each January, in every price list, and so do unit costs; the last price has no end."""
    for code, name in (("EUR", "Euro"), ("GBP", "Pound sterling"), ("USD", "US dollar"), ("CHF", "Swiss franc")):
        yield Made("currencies", code, {"code": code, "name": name, "minor_digits": 2}, at)
    for place, (key, name, kind, probability_bp, category) in enumerate(STAGES, start=1):
        stage = {"name": name, "position": place, "kind": kind, "probability_bp": probability_bp}
        more = {"stalled_days": STALLED_DAYS, "exit_criteria": CRITERIA.get(key, [])} if kind == "open" else {}
        yield Made("stages", key, {**stage, "category": category, **more}, at)
    yield Made("pipelines", "direct", {"name": "Direct sales"}, at)
    for place, reason in enumerate(LOST_REASONS, start=1):
        said = {"name": reason.capitalize(), "position": place, "asks_competitor": reason == "competitor"}
        yield Made("lost_reasons", reason_key(reason), said, at)
    for key, name in COMPETITORS.items():
        yield Made("competitors", key, {"name": name}, at)
    yield Made("credit_rules", "credit", {"event": "won", "valid_from": f"{days.year - HISTORY_YEARS}-01-01"}, at)
    years = range(days.year - HISTORY_YEARS, days.year + 1)
    for product in PRODUCTS:
        values = {"name": product.name, "family": product.family, "sku": product.key[2:].upper()}
        yield Made("products", product.key, values, at)
        for year in years:
            ago = days.year - year
            dated = {"product_key": product.key, "valid_from": f"{year}-01-01"}
            dated["valid_to"] = f"{year + 1}-01-01" if ago else None  # type: ignore[assignment]
            price_minor = list_price(product, ago)
            for code in (CURRENCY, "GBP"):
                amount = {"amount_minor": price_in(price_minor, code), "currency": code}
                yield Made("prices", f"{product.key}-{code}-{year}", {**dated, **amount}, at)
            cost = {"amount_minor": _years_ago(product.cost_minor, ago, COST_STEP_PERCENT), "currency": CURRENCY}
            yield Made("unit_costs", f"{product.key}-{year}", {**dated, **cost}, at)
    for year in years:
        for month in range(1, 13):
            for place, (code, level) in enumerate(RATES.items()):
                wave = (month * 7 + year * 5 + place * 11) % 41 - 20  # within two percent
                rate = f"{(level * 1_000 + level * wave) / 1_000_000:.6f}"
                values = {"base_currency": code, "quote_currency": CURRENCY, "rate": rate}
                day = f"{year}-{month:02}-01"
                if day <= days.today:
                    yield Made("rates", f"{code}-{CURRENCY}-{day}", {**values, "valid_from": day}, at)


def reason_key(reason: str) -> str:
    return reason.replace(" ", "-")


def list_price(product: Product, years_ago: int) -> int:
    return _years_ago(product.price_minor, years_ago, PRICE_STEP_PERCENT)


def _years_ago(amount_minor: int, years: int, percent: int) -> int:
    """Down one step for each year, to whole units."""
    for _ in range(years):
        amount_minor = amount_minor * 100 // (100 + percent)
    return amount_minor // 100 * 100


def _calendar(days: Days, at: int) -> Iterator[Made]:
    yield Made("fiscal_calendars", "calendar", {}, at)
    calendars = FiscalCalendars()
    for year in (days.year - 1, days.year):
        for kind in (PeriodKind.YEAR, PeriodKind.QUARTER, PeriodKind.MONTH):
            for period in calendars.periods(year, kind):
                parent = {
                    PeriodKind.YEAR: None,
                    PeriodKind.QUARTER: f"FY{year}",
                    PeriodKind.MONTH: f"FY{year}.Q{(period.number + 2) // 3}",
                }[kind]
                values = {"name": period.name, "kind": kind.value, "parent_key": parent}
                yield Made(
                    "fiscal_periods", period.name, {**values, "start_on": period.start_on, "end_on": period.end_on}, at
                )


def _quotas(seats: list[Rep], days: Days, dice: Dice, at: int) -> Iterator[Made]:
    """Revenue and customers met for each rep and quarter of this year; a team's revenue is the sum of its reps'."""
    for quarter in range(1, 5):
        period = f"FY{days.year}.Q{quarter}"
        teams: dict[str, int] = {}
        for rep in seats:
            revenue, contacts = dice.one(REVENUE_TARGETS), dice.one(CONTACT_TARGETS)
            team = rep.manager.replace("manager", "team")
            teams[team] = teams.get(team, 0) + revenue
            person = {"user_key": rep.key, "period_key": period}
            money = {"measure": "revenue", "target": revenue, "currency": CURRENCY}
            yield Made("quotas", f"{rep.key}-{period}-revenue", {**person, **money}, at)
            met = {"measure": "unique_contacts", "target": contacts}
            yield Made("quotas", f"{rep.key}-{period}-contacts", {**person, **met}, at)
        for team, target in teams.items():
            money = {"measure": "revenue", "target": target, "currency": CURRENCY}
            yield Made("quotas", f"{team}-{period}-revenue", {"team_key": team, "period_key": period, **money}, at)
