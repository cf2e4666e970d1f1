"""Why a deal's chance is what it is, and what deals like it did.

A reason is one thing that is told of a deal, and what the chance would be without it: the same deal, with the effect
of that thing taken back to what it is on average over the open deals beside it. Codes and figures, for whoever words
them; the words in English are one such wording. Nothing is a reason that did not earn its place in the model.
"""

import numpy as np
from msgspec import Struct, structs

from forecasting.engine.values import NEVER, STAGE, Deals, Floats, Ints
from forecasting.engine.winrate.design import FEATURE
from forecasting.engine.winrate.model import Model
from forecasting.engine.winrate.panel import AGES, last_before, told_of
from forecasting.engine.winrate.rates import Effects
from forecasting.engine.winrate.saying import follow
from forecasting.engine.winrate.standing import Standing, standing

LEAST = 0.005  # of a chance, below which nothing is a reason
LEAST_SPREAD = 0.05  # of log rates between the values of a feature, below which deals are alike whatever it is
GROUPS = {
    "stage": ("stage", "stage_age", "wait"),
    "pushes": ("pushes",),
    "amount": ("amount",),
    "age": ("age", "age_month"),
    "cohort": ("cohort",),
}


class Reason(Struct, frozen=True):
    """`chance` is that of the deal, `without` the same deal's if this were as usual; `value` is what is told of it."""

    code: str
    value: str
    chance: float
    without: float

    @property
    def words(self) -> str:
        better = "raises" if self.chance > self.without else "lowers"
        what = f"{self.code} {self.value}".strip()
        return f"{what} {better} the chance from {self.without:.0%} to {self.chance:.0%}"


class Similar(Struct, frozen=True):
    """Closed deals that were once as this one is: how many, how many were won, the median days they still took."""

    deals: int
    won: int
    days: float | None


def reasons(model: Model, deals: Deals, until: int, most: int = 3) -> tuple[tuple[Reason, ...], ...]:
    """Of each open deal, as in `chances`, the `most` reasons that move its chance to be won by the day `until` most."""
    stood = standing(model, deals, deals.until)
    if not len(stood.row) or until <= deals.until:
        return tuple(() for _ in stood.row)
    edges = np.array([deals.until, until], dtype=np.int64)
    chance = follow(model, stood, edges)[0][:, 0]
    found: list[tuple[str, list[str], Floats]] = []
    for code, names in _groups(model).items():
        without = follow(_muted(model, names, stood), _usual(model, code, stood), edges)[0][:, 0]
        found.append((code, _values(model, code, deals, stood), without))
    told = []
    for n in range(len(stood.row)):
        mine = [Reason(code, v[n], float(chance[n]), float(w[n])) for code, v, w in found]
        mine = [reason for reason in mine if abs(reason.chance - reason.without) >= LEAST]
        mine.sort(key=lambda reason: (-abs(reason.chance - reason.without), reason.code))
        told.append(tuple(mine[:most]))
    return tuple(told)


def _groups(model: Model) -> dict[str, tuple[str, ...]]:
    known = set(model.win.names) | set(model.lose.names)
    groups = {code: names for code, names in GROUPS.items() if known & set(names)}
    return groups | {name[len(FEATURE) :]: (name,) for name in model.win.names if name.startswith(FEATURE)}


def _muted(model: Model, names: tuple[str, ...], stood: Standing) -> Model:
    """The model with the effects of a feature or a cohort as they are on average over the open deals."""
    lasting = [name for name in names if name.startswith(FEATURE) or name in ("cohort", "amount", "pushes")]
    if not lasting:
        return model
    return structs.replace(model, win=_evened(model.win, lasting, stood), lose=_evened(model.lose, lasting, stood))


def _evened(effects: Effects, names: list[str], stood: Standing) -> Effects:
    changed = []
    for name, part in zip(effects.names, effects.effects, strict=True):
        if name not in names:
            changed.append(part)
        elif name.startswith(FEATURE):
            changed.append(np.full(len(part), float(part[stood.levels[name[len(FEATURE) :]]].mean())))
        else:
            changed.append(part if name in ("amount", "pushes") else np.zeros(len(part)))
    return structs.replace(effects, effects=tuple(changed))


def _usual(model: Model, code: str, stood: Standing) -> Standing:
    """How the deals would stand if this one thing of each were the usual one."""
    if code == "amount":
        return structs.replace(stood, size=np.full(len(stood.row), float(stood.size.mean())))
    if code == "pushes":
        return structs.replace(stood, pushes=np.full(len(stood.row), float(stood.pushes.mean())))
    if code == "stage":
        usual = int(np.bincount(stood.stage, minlength=max(len(model.stages), 1)).argmax())
        return structs.replace(stood, stage=np.full(len(stood.row), usual))
    if code == "age":
        return structs.replace(stood, opened=np.full(len(stood.row), int(np.median(stood.opened))))
    return stood


def _values(model: Model, code: str, deals: Deals, stood: Standing) -> list[str]:
    if code == "stage":
        return [model.stages[n] if model.stages else "" for n in stood.stage]
    if code == "age":
        return [str(deals.until - int(day)) for day in stood.opened]
    if code == "pushes":
        return [str(int(count)) for count in stood.pushes]
    if code == "amount":
        return ["larger" if size > 0 else "smaller" for size in stood.size]
    if code == "cohort":
        return ["" for _ in stood.row]
    return [deals.features[code][n] for n in stood.row]


def similar(model: Model, deals: Deals, most: int = 50) -> tuple[Similar, ...]:
    """Of each open deal, the latest closed ones that had been open at its age, in its stage, with its likes.

    Alike means: the same stage when they were as old as this deal is now (to the bin), and the same values of as many
    features as still leave ten; what tells most of winning comes first, and what tells next to nothing is not asked.
    """
    stood = standing(model, deals, deals.until)
    closed = np.flatnonzero(~deals.is_open & (deals.ended_on > deals.opened_on) & (deals.ended_on != NEVER))
    lived = (deals.ended_on - deals.opened_on)[closed]
    asked = _telling(model)
    columns = {name: np.array(deals.features[name], dtype=np.str_) for name in asked}
    age = np.searchsorted(AGES, deals.until - stood.opened, side="right") - 1
    at_age = {int(n): _stages_at(deals, closed, int(AGES[max(n, 0)])) for n in np.unique(age)}
    found: list[Similar] = []
    known: dict[tuple[int | str, ...], Similar] = {}
    for n, row in enumerate(stood.row):
        likes = tuple(str(columns[name][row]) for name in asked)
        key: tuple[int | str, ...] = (int(age[n]), int(stood.stage[n]), *likes)
        if key not in known:
            day = int(AGES[max(int(age[n]), 0)])
            alike = (lived > day) & (at_age[int(age[n])] == stood.stage[n])
            for name in asked:
                closer = alike & (columns[name][closed] == columns[name][row])
                alike = closer if closer.sum() >= 10 else alike
            known[key] = _summed(deals, closed[alike], day, most)
        found.append(known[key])
    return tuple(found)


def _telling(model: Model) -> list[str]:
    """Features whose values differ in how soon or how likely they are won, the most telling first."""
    spread = {name: float(np.std(part)) for name, part in zip(model.win.names, model.win.effects, strict=True)}
    told = [words.feature for words in model.words if spread.get(FEATURE + words.feature, 0.0) >= LEAST_SPREAD]
    return sorted(told, key=lambda feature: -spread[FEATURE + feature])


def _stages_at(deals: Deals, rows: Ints, age: int) -> Ints:
    """The stage of each of the deals at the end of the day on which it was so old."""
    told = told_of(deals, STAGE)
    at = last_before(told, rows, deals.opened_on[rows] + age + 1)
    if not len(told.value):
        return np.zeros(len(rows), dtype=np.int64)
    return np.where(at >= 0, told.value[at], 0).astype(np.int64)


def _summed(deals: Deals, rows: Ints, age: int, most: int) -> Similar:
    latest = rows[np.argsort(deals.ended_on[rows], kind="stable")][-most:]
    if not len(latest):
        return Similar(0, 0, None)
    days = deals.ended_on[latest] - deals.opened_on[latest] - age
    return Similar(len(latest), int(deals.won[latest].sum()), float(np.median(days)))
