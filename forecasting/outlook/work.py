"""A question in, its answer out: what the engine's parts say, in the order in which each needs the one before. Pure.

The same question has the same answer, byte for byte. Nodes are told by what the past was judged by (`looking`,
`judging`), single deals by a model of their chances, which is fitted once. What is asked: each period ahead at its own
distance from its end, and the distances of `scoring.HORIZONS` that are shorter than a period.
"""

from collections.abc import Callable, Sequence

import numpy as np

from forecasting.engine.blend import blended
from forecasting.engine.simulate import DRAWS, simulate
from forecasting.engine.spread import deviations
from forecasting.engine.values import NEVER, Floats
from forecasting.engine.winrate import Model
from forecasting.outlook.chances import Open, learn_open, of_deals, pipeline_of, told
from forecasting.outlook.drawing import Expected, brought_to, more_to_come, outlooks, silent
from forecasting.outlook.judging import Shape, Verdict, add_up, judge, leaning, look_back, look_back_on
from forecasting.outlook.looking import SAID, Looker, Pipeline
from forecasting.outlook.scoring import HORIZONS, scores_of
from forecasting.outlook.shape import AHEAD, Money, Tree, deals_of, money_of, quarters_of, spans_of, tree_of
from forecasting.outlook.values import Answer, Learnt, NodeOutlook, Outlook, Question, Score, Span

ENGINE = "2"
NO_HISTORY, NO_PEOPLE, NO_PERIODS, TOO_FAR, NO_PERIOD = "no_history", "no_people", "no_periods", "too_far", "no_period"

Tell = Callable[[str, int], None]


def answer(
    question: Question, tell: Tell, *, single: bool = True, draws: int = DRAWS, horizons: Sequence[int] = HORIZONS
) -> Answer:
    """Without `single` deals no model of them is fitted, and what is expected of open ones is the plain hazards'; means
    and ranges are the same. Who judges thousands of runs draws less, and asks for no `horizons` of the honesty page."""
    tell("reading", 0)
    if not question.deals.keys and not question.credits:
        return Answer(learnt=None, nodes=[], deals={}, scores=[], code=NO_HISTORY)
    if not question.leaves:
        return Answer(learnt=None, nodes=[], deals={}, scores=[], code=NO_PEOPLE)
    if not question.ahead or not question.spans:
        return Answer(learnt=None, nodes=[], deals={}, scores=[], code=NO_PERIODS)
    return _Worker(question, tell, single, draws, horizons).answer()


class _Worker:
    def __init__(self, question: Question, tell: Tell, single: bool, draws: int, horizons: Sequence[int]) -> None:
        self._question, self._tell = question, tell
        self._single, self._draws, self._horizons = single, draws, horizons
        self._spans = spans_of(question)
        self._tree: Tree = tree_of(question)
        self._money: Money = money_of(question, self._tree)
        deals = deals_of(question)
        quarters = quarters_of(self._spans)
        self._looker = Looker(deals, self._tree, self._money, self._near_spans(), question.calls, quarters)
        self._shape = Shape(self._tree.levels, self._tree.parent, self._tree.hierarchy())
        self._deals = deals
        self._verdicts: dict[str, Verdict] = {}

    def answer(self) -> Answer:
        question = self._question
        known = {span.key: span for span in (*self._windows(), *self._spans)}
        asked = [known[key] for key in question.ahead if key in known]
        coming = [span for span in asked if question.until < span.end - 1 <= question.until + AHEAD]
        self._tell("learning", 30)
        people = self._looker.people
        found = learn_open(question, self._deals, self._tree, coming, people, self._looker.calendar, self._single)
        scores = self._judge_all(coming)
        by_node: list[list[Outlook]] = [[] for _ in self._tree.names]
        for n, key in enumerate(question.ahead):
            self._tell("drawing", 750 + 200 * n // len(question.ahead))
            for node, outlook in enumerate(self._period(key, known.get(key), found)):
                by_node[node].append(outlook)
        self._tell("telling", 960)
        nodes = [
            NodeOutlook(name, by_node[node], list(self._tree.above[node])) for node, name in enumerate(self._tree.names)
        ]
        deals = told(found, self._tree, question.ahead)
        return Answer(learnt=self._learnt(found, coming), nodes=nodes, deals=deals, scores=scores)

    def _near_spans(self) -> list[Span]:
        return [span for span in self._spans if span.end <= self._question.until + AHEAD]

    def _windows(self) -> list[Span]:
        return [one for one in self._question.windows if self._question.until < one.start < one.end]

    # -- the past

    def _judge_all(self, coming: Sequence[Span]) -> list[Score]:
        """At each distance that is asked for, and at those of the honesty page."""
        until = self._question.until
        over = [span.end - span.start for span in self._spans if span.end - 1 <= until]
        length = float(np.median(over)) if over else 0.0
        horizons = [days for days in self._horizons if days < length]
        scores: list[Score] = []
        steps = len(coming) + len(horizons)
        choice = None
        for n, span in enumerate(coming):
            self._tell("judging", 150 + 600 * n // steps)
            verdict = judge(look_back_on(self._looker, until, span), self._shape)
            choice = choice or verdict.choice
            self._verdicts[span.key] = verdict
        for n, days in enumerate(horizons, len(coming)):
            self._tell("judging", 150 + 600 * n // steps)
            verdict = judge(look_back(self._looker, until, days), self._shape, choice)
            choice = choice or verdict.choice
            scores += scores_of(self._tree.names, verdict, self._shape)
        place = {name: n for n, name in enumerate(self._tree.names)}
        return sorted(scores, key=lambda score: (place[score.node], -score.days))

    # -- a period ahead

    def _period(self, key: str, span: Span | None, found: Open) -> list[Outlook]:
        until = self._question.until
        if span is None or span.end - 1 > until + AHEAD:
            nothing = np.zeros(len(self._tree.leaf_node), dtype=np.int64)
            return silent(self._tree, key, nothing, NO_PERIOD if span is None else TOO_FAR)
        won = self._money.between(min(span.start - 1, until), until)
        quotas = {(quota.period_key, quota.node): quota.target_minor for quota in self._question.quotas}
        people = len(self._tree.leaf_node)
        if key not in found.windows:  # it is over with this day
            empty, none = np.zeros((len(SAID), len(self._tree))), np.zeros(people)
            over = Expected(span, won, none, none, none, np.full_like(empty, np.nan), empty)
            return outlooks(self._tree, over, np.zeros((people, 1)), quotas)
        verdict = self._verdicts[key]
        pipeline = pipeline_of(found, span, people)
        look = self._looker.look(span, until, pipeline)
        base, weights = blended(verdict.weights, look.said * verdict.leanings)
        if not np.isfinite(base).any():
            return silent(self._tree, key, np.rint(won).astype(np.int64), NO_HISTORY)
        summed = add_up(self._shape.hierarchy, verdict.choice, base, verdict.seen.came, verdict.errors)
        mean = np.maximum(summed[self._tree.leaf_node] * leaning(verdict.spread.common), 0.0)
        drawn = self._drawn(found, key, verdict, mean, pipeline)
        known = of_deals(found, span, people)
        said = pipeline or Pipeline(np.zeros(people), np.zeros(people), np.zeros(people), 0.0)
        expected = Expected(span, won, said.open if known is None else known, said.new, mean, look.said, weights)
        return outlooks(self._tree, expected, drawn, quotas)

    def _drawn(self, found: Open, key: str, verdict: Verdict, mean: Floats, pipeline: Pipeline | None) -> Floats:
        drawn = np.zeros((len(mean), self._draws))
        if found.near is not None and pipeline is not None:
            window, coming = found.windows[key], found.newcomers
            if coming is not None:
                coming = more_to_come(coming, mean - pipeline.open - pipeline.new, window)
            outcome = simulate(
                found.near,
                self._looker.people,
                found.split,
                newcomers=coming,
                spread=verdict.spread.common,
                window=window,
                draws=self._draws,
                seed=self._question.seed,
            )
            drawn = outcome.open
            drawn += outcome.new
        return brought_to(self._tree, mean, drawn, verdict.spread, self._question.seed)

    # -- what it rests on

    def _learnt(self, found: Open, coming: Sequence[Span]) -> Learnt:
        said: dict[str, float] = {}
        model = found.model
        signal = False
        if isinstance(model, Model):
            signal = "no_signal" not in model.said
            said |= {"won": float(model.won), "lost": float(model.lost)}
            said |= dict.fromkeys(model.said, 1.0)
            said |= {f"gain:{one.name}": round(one.gain, 6) for one in model.judged if one.taken}
        elif model is not None:
            said[model.code] = 1.0
        for n, span in enumerate(coming):
            verdict = self._verdicts[span.key]
            said[f"periods:{n}"] = float(len(verdict.seen))
            said[f"leaning:{n}"] = round(leaning(verdict.spread.common), 6)
            said[f"deviation:{n}"] = round(deviations(verdict.spread.common)[1], 6)
            said[f"adds_up_by:{verdict.choice.method}"] = 1.0
        return Learnt(
            engine=ENGINE,
            cut_off=self._question.until,
            closed_deals=int((self._deals.ended_on != NEVER).sum()),
            signal=signal,
            said=said,
        )
