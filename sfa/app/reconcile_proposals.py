"""The checks of the reconciliation report that look at proposals: what was sent is what was kept, and numbers have no
gap (R46, R50, R52, R55)."""

from hashlib import sha256
from itertools import groupby

from sqlalchemy import Connection, select

from proposals import store
from proposals.numbering import Number, gaps
from sfa.app.reconcile_checks import Difference, Found, Look
from sfa.db.tables import ROWS, proposal_series, proposal_versions

PART = 500
GAPS_TOLD = 20
_V, _P = proposal_versions.c, ROWS["proposals"].c


def proposals_as_sent(connection: Connection, _: Look) -> Found:
    """The bytes of each version are those that its digest names, and the proposal names the last one."""
    columns = (_V.proposal_key, _V.version, _V.digest, _V.document, _P.digest.label("told"), _P.version.label("last"))
    query = select(*columns).join(_P.key.table, _P.key == _V.proposal_key, isouter=True)
    ordered = query.order_by(_V.proposal_key, _V.version)
    rows = connection.execute(ordered, execution_options={"yield_per": PART})
    for part in rows.partitions(PART):
        yield len(part)
        for row in part:
            made = sha256(bytes(row.document)).hexdigest()
            detail = {"version": row.version}
            if made != row.digest:
                yield Difference("proposals_as_sent", "proposals", row.proposal_key, row.digest, made, detail)
            if row.version == row.last and row.told != row.digest:
                yield Difference("proposals_as_sent", "proposals", row.proposal_key, row.digest, row.told, detail)


def proposal_numbers(connection: Connection, _: Look) -> Found:
    """Every series counts its proposals from 1 on, without a gap."""
    last: dict[str, int] = {row.name: row.last for row in connection.execute(select(proposal_series))}
    found = {
        series: [ordinal for _, ordinal, _ in rows]
        for series, rows in groupby(store.numbers(connection), key=lambda row: row[0])
    }
    for series in sorted({*last, *found}):
        ordinals = found.get(series, [])
        yield len(ordinals)
        missing = gaps(last.get(series, 0), ordinals)
        if missing:
            told = {"numbers": [Number(series, ordinal).text for ordinal in missing[:GAPS_TOLD]]}
            expected, counted = str(last.get(series, 0)), str(len(ordinals))
            yield Difference("proposal_numbers", "proposals", series, expected, counted, told)
