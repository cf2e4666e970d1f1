"""What one run of the engine is asked and what it answers: plain values, that a process is sent and a row keeps.

Days are ordinals (`date.toordinal`); periods are half-open [start, end). Money is whole minor units of the company's
currency. Columns are lists, one position for each deal, credit or change. Equal questions have equal answers, byte for
byte: the seed is a part of the question, and everything is in a stated order. Nothing here is heavy to import.
"""

from msgspec import Struct

COMPANY = "company"
PIPELINE, SERIES, CALL, BLEND = "pipeline", "series", "call", "blend"
LAST_PERIOD, LAST_YEAR = "last_period", "last_year"  # the same days of the period before, and of a year before
VIEWS = (PIPELINE, SERIES, CALL, LAST_PERIOD, LAST_YEAR, BLEND)


# -- asked ------------------------------------------------------------------------------------------------------------


class Span(Struct, frozen=True):
    """A fiscal period; the question holds those of one kind, past ones too, in order."""

    key: str
    start: int
    end: int


class DealColumns(Struct, frozen=True):
    """Deals in order of key. 0 is the day of what has not happened, None the amount of what has none.

    Changes are in order of deal and day: `change_kind` 0 stage (position in `stages`), 1 amount, 2 expected day.
    """

    keys: list[str]
    opened_on: list[int]
    ended_on: list[int]
    won: list[bool]
    amount_minor: list[int | None]
    features: dict[str, list[str]]
    stages: list[str]
    change_deal: list[int]
    change_day: list[int]
    change_kind: list[int]
    change_value: list[int | None]


class Leaf(Struct, frozen=True):
    """A person and the nodes above him from the company down, today."""

    user_key: str
    above: list[str]


class Part(Struct, frozen=True, array_like=True):
    """[position of an open deal, person's position among the leaves, share of 10,000]; overlays are none."""

    deal: int
    leaf: int
    share_bp: int


class Credit(Struct, frozen=True, array_like=True):
    """[day, person's position among the leaves, amount]: what was closed, reversals negative."""

    day: int
    leaf: int
    amount_minor: int


class Call(Struct, frozen=True, array_like=True):
    """[period, node, day on which it was locked, amount]"""

    period_key: str
    node: str
    day: int
    amount_minor: int


class Quota(Struct, frozen=True, array_like=True):
    """[period, node, target]"""

    period_key: str
    node: str
    target_minor: int


class Question(Struct, frozen=True, kw_only=True):
    """Everything that was known at the end of the day `until`. `ahead` are the periods that are asked for: the one that
    is running and later ones, and of `windows` those that are: days to come that are no period ("the next 30")."""

    until: int
    currency: str
    seed: int
    spans: list[Span]
    ahead: list[str]
    leaves: list[Leaf]
    deals: DealColumns
    parts: list[Part]
    credits: list[Credit]
    calls: list[Call]
    quotas: list[Quota]
    windows: list[Span] = []


# -- answered ---------------------------------------------------------------------------------------------------------


class Range(Struct, frozen=True):
    """Quantiles of what the period will be worth, and its mean. `reach_bp` is the probability of reaching
    `quota_minor`, of 10,000; both null without a quota."""

    p10_minor: int
    p50_minor: int
    p90_minor: int
    mean_minor: int
    quota_minor: int | None = None
    reach_bp: int | None = None


class Seen(Struct, frozen=True):
    """One way to look at a period: what it expects, and its weight in the blend, of 10,000; null with a `code` where it
    cannot say anything."""

    view: str
    mean_minor: int | None
    weight_bp: int
    code: str | None = None


class Outlook(Struct, frozen=True, kw_only=True):
    """A node's period. The mean of the range is `won_minor` + `open_minor` + `new_minor` + `adjusted_minor`: what is
    won, what is expected of deals that are open, of those that do not exist yet, and by how much the other views and
    the levels around it move that. `range` is null with a `code` where nothing can be said."""

    period_key: str
    won_minor: int
    open_minor: int
    new_minor: int
    adjusted_minor: int
    range: Range | None
    views: list[Seen]
    code: str | None = None


class NodeOutlook(Struct, frozen=True):
    """`above` are the nodes above it from the company down, on the day of the run."""

    node: str
    periods: list[Outlook]
    above: list[str] = []


class Reason(Struct, frozen=True):
    """Why a chance is other than usual: a code, by how much of 10,000 it moves the chance, and what it says of the
    deal."""

    code: str
    moves_bp: int
    value: str | None = None


class Similar(Struct, frozen=True):
    """Closed deals that were like this one at its age: how many, how many were won, and the median of days it took."""

    deals: int
    won: int
    days: int | None


class DealOutlook(Struct, frozen=True, kw_only=True):
    """`win_bp` is the chance to be won at all, `within_bp` inside each period ahead; `expected_minor` what each of
    them may expect of it."""

    key: str
    win_bp: int
    within_bp: list[int]
    expected_minor: list[int]
    reasons: list[Reason]
    similar: Similar | None


class Score(Struct, frozen=True, kw_only=True):
    """How one view was right at a node, `days` before the ends of `periods` past periods. WAPE and bias are of 10,000
    of what was closed, null where that was nothing; `pinball_minor` is the mean loss over P10, P50 and P90, `held_bp`
    how often P10 to P90 held: null for a view without ranges. `few`: too little history to lean on."""

    node: str
    view: str
    days: int
    periods: int
    wape_bp: int | None
    bias_bp: int | None
    pinball_minor: int | None
    held_bp: int | None
    few: bool


class Learnt(Struct, frozen=True, kw_only=True):
    """What the chances rest on: `signal` says whether single deals can be told apart; `said` are codes with figures."""

    engine: str
    cut_off: int
    closed_deals: int
    signal: bool
    said: dict[str, float]


class Answer(Struct, frozen=True, kw_only=True):
    """`code` where nothing could be computed at all. Nodes are in order of the tree, deals in order of key, by
    owner."""

    learnt: Learnt | None
    nodes: list[NodeOutlook]
    deals: dict[str, list[DealOutlook]]
    scores: list[Score]
    code: str | None = None
