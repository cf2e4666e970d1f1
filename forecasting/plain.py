"""Open deals that need no judgement one by one, summed by the database in the time that it takes to hand them over.

A deal is *plain* where nobody shares it, its amount is in the currency of the report, it has a day, and its owner works
here: nothing of it is converted, shared out or a hole. Each is weighted and rounded by itself, half up, in integers, as
`sfa.core.forecast.weighted` does (R23), so that sums are those that one would make of the deals, to the cent. All
others are the rest, read row by row. Does not do: territories and products, deals that are listed.
"""

from sqlalchemy import BigInteger, ColumnElement, Text, and_, bindparam, case, cast, func, literal_column, select

from sfa.core.forecast import OMITTED, OPEN, SLIPPED
from sfa.core.money import BP_WHOLE
from sfa.db.prepared import Prepared
from sfa.db.tables import ROWS

AMOUNT_MAX = 10**11  # of a deal that is summed: no product and no sum of ten million of them leaves 64 bits
_D, _STAGES, _USERS = ROWS["deals"].c, ROWS["stages"], ROWS["users"].c


def plain() -> ColumnElement[bool]:
    """Whether a deal is; unknown where something of it is null."""
    # `owner_key || ''`: SQLite would walk an index for each owner, in three times the time of one pass
    here = (_D.owner_key + "").in_(select(_USERS.key).where(_USERS.active, ~_USERS.gone))
    alone = and_(cast(_D.splits, Text) == "[]", cast(_D.overlays, Text) == "[]")
    sized = _D.amount_minor.between(0, AMOUNT_MAX)
    return and_(alone, _D.currency == bindparam("currency", type_=Text), sized, _D.close_on.is_not(None), here)


def rest() -> ColumnElement[bool]:
    return case((plain(), 0), else_=1) == 1


def sums_query(dated: ColumnElement[bool]) -> Prepared:
    """(owner, bucket, amount, weighted, deals) of the plain open deals of some days; bound are `currency`, `today`."""
    stage = _STAGES.c
    judged = case((stage.category.in_([literal_column(f"'{name}'") for name in (*OPEN, OMITTED)]), stage.category))
    category = func.coalesce(_D.category, judged, literal_column("'pipeline'"))
    is_over = _D.close_on < bindparam("today", type_=Text)
    bucket = case(
        (category == literal_column(f"'{OMITTED}'"), literal_column(f"'{OMITTED}'")),
        (is_over, literal_column(f"'{SLIPPED}'")),
        else_=category,
    )
    probability = func.coalesce(stage.probability_bp, literal_column("0"), type_=BigInteger)
    whole = cast(_D.amount_minor, BigInteger) * probability
    weighted = (whole + literal_column(str(BP_WHOLE // 2), BigInteger)) // literal_column(str(BP_WHOLE), BigInteger)
    each = (
        select(
            _D.owner_key.label("owner"),
            bucket.label("bucket"),
            _D.amount_minor.label("amount"),
            weighted.label("weighted"),
        )
        .outerjoin_from(ROWS["deals"], _STAGES, stage.key == _D.stage_key)
        .where(_D.closed_at.is_(None), ~_D.gone, dated, plain())
        .subquery("each")
    )
    c = each.c
    amounts = [cast(func.sum(column), BigInteger) for column in (c.amount, c.weighted)]
    return Prepared(select(c.owner, c.bucket, *amounts, func.count()).group_by(c.owner, c.bucket))
