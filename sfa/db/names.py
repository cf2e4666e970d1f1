"""The words by which rows are found, kept by the door beside the rows: in each bucket where a row lies, its words.

`write` runs in every flush and touches only what differs. `find` is a few stretches of one index for each bucket held,
however many rows there are: of several words it walks the rarest, along `LOOKED_MAX` places at most, and asks the
others of each row there. It answers at most `FOUND_MAX` keys of whole words and as many of beginnings, and says whether
it stopped before the end.
"""

from collections.abc import Iterable, Mapping, Sequence
from functools import cache

from msgspec import Struct
from sqlalchemy import Connection, bindparam, delete, select, text

from sfa.core.names import END, SEARCHED, words
from sfa.db.bulk import inserting
from sfa.db.cells import KEYS_PER_QUERY, Cell
from sfa.db.prepared import Prepared, among, listed
from sfa.db.tables import name_words

FOUND_MAX = 200
LOOKED_MAX = 20_000
Place = tuple[str, str]  # a bucket and a word
Word = tuple[str, str, str, str]  # a row of the table: an entity, a bucket, a word and a key
_INSERT = inserting(name_words)
_HAD = Prepared(
    select(name_words.c.key, name_words.c.bucket, name_words.c.word).where(
        name_words.c.entity == bindparam("of"), among(name_words.c.key, "keys")
    )
)
_DELETE = delete(name_words).where(
    name_words.c.entity == bindparam("of"),
    name_words.c.bucket == bindparam("lay"),
    name_words.c.word == bindparam("said"),
    name_words.c.key == bindparam("at"),
)


def write(connection: Connection, cells: Iterable[Cell]) -> None:
    """Keep the words of rows that are about to be flushed. New rows are not looked up."""
    old: dict[str, list[Cell]] = {}
    new: list[Cell] = []
    for cell in cells:
        if not cell.stored:
            new.append(cell)
        elif cell.entity in SEARCHED:
            old.setdefault(cell.entity, []).append(cell)
    added = values(new)
    gone: list[dict[str, str]] = []
    for entity, stored in old.items():
        had = _had(connection, entity, [cell.key for cell in stored])
        for cell in stored:
            mine, wanted = had.get(cell.key, set()), _wanted(cell)
            added += _rows(cell, wanted - mine)
            gone += [{"of": entity, "lay": b, "said": w, "at": cell.key} for b, w in sorted(mine - wanted)]
    if gone:
        connection.execute(_DELETE, gone)
    write_values(connection, added)


def values(cells: Iterable[Cell]) -> list[Word]:
    """What is written of new rows."""
    return [word for cell in cells if cell.entity in SEARCHED for word in _rows(cell, _wanted(cell))]


def write_values(connection: Connection, rows: Sequence[Word]) -> None:
    _INSERT.run_values(connection, sorted(rows))  # as the table is clustered


def _wanted(cell: Cell) -> set[Place]:
    if cell.gone:
        return set()
    said = words(*(cell.row[field] for field in SEARCHED[cell.entity]))
    return {(bucket, word) for bucket in cell.buckets for word in said}


def _rows(cell: Cell, places: set[Place]) -> list[Word]:
    return [(cell.entity, bucket, word, cell.key) for bucket, word in places]


def _had(connection: Connection, entity: str, keys: Sequence[str]) -> dict[str, set[Place]]:
    found: dict[str, set[Place]] = {}
    for start in range(0, len(keys), KEYS_PER_QUERY):
        part = listed(connection, keys[start : start + KEYS_PER_QUERY])
        for key, bucket, word in _HAD.rows(connection, of=entity, keys=part):
            found.setdefault(key, set()).add((bucket, word))
    return found


class Found(Struct, frozen=True):
    """`is_cut`: there may be more that fits, among it what fits better."""

    keys: list[str]
    is_cut: bool


def find(connection: Connection, entity: str, held: Iterable[str], question: Sequence[str]) -> Found:
    """Keys of rows in these buckets of which every word of the question begins a word; first those that have the rarest
    word whole."""
    bound: dict[str, object] = {"held": listed(connection, held), "entity": entity}
    is_cut = False
    if len(question) > 1:
        question, is_cut = _rarest_first(connection, question, bound)
    for place, word in enumerate(question):
        bound |= {f"from{place}": word, f"until{place}": word + END}
    bound |= {"looked": LOOKED_MAX if len(question) > 1 else FOUND_MAX, "most": FOUND_MAX}
    found: dict[str, None] = {}
    for whole in (True, False):
        sql = text(_sql(connection.dialect.name, len(question), whole=whole))
        keys = list(connection.execute(sql, bound).scalars())
        is_cut = is_cut or len(keys) == FOUND_MAX
        found.update(dict.fromkeys(keys))
    return Found(list(found), is_cut)


def _rarest_first(
    connection: Connection, question: Sequence[str], bound: Mapping[str, object]
) -> tuple[list[str], bool]:
    """-> the words, that with the fewest places first, and whether even that one has more than are walked."""
    sql = text(f"SELECT count(*) FROM ({_walk(connection.dialect.name, whole=False)}) c")
    counts: dict[str, int] = {}
    for word in question:
        asked = {**bound, "from0": word, "until0": word + END, "looked": LOOKED_MAX + 1}
        counts[word] = connection.execute(sql, asked).scalar_one()
    ordered = sorted(question, key=lambda word: counts[word])
    return ordered, counts[ordered[0]] > LOOKED_MAX


@cache
def _sql(dialect: str, count: int, *, whole: bool) -> str:
    also = "".join(
        f" AND EXISTS (SELECT 1 FROM name_words o WHERE o.entity = :entity AND o.key = f.key "
        f"AND o.word >= :from{place} AND o.word < :until{place})"
        for place in range(1, count)
    )
    return f"SELECT f.key FROM ({_walk(dialect, whole=whole)}) f WHERE 1 = 1{also} LIMIT {_number(dialect, 'most')}"


def _walk(dialect: str, *, whole: bool) -> str:
    """Bucket by bucket, each a stretch of the first key: a planner that may choose goes through every key instead."""
    first = "n.word = :from0 AND :until0 <> ''" if whole else "n.word >= :from0 AND n.word < :until0"
    here = f"n.entity = :entity AND n.bucket = h.bucket AND {first}"
    if dialect == "sqlite":
        held = "(SELECT value AS bucket FROM json_each(:held))"
        return f"SELECT n.key FROM {held} h CROSS JOIN name_words n WHERE {here} LIMIT :looked"
    limit = _number(dialect, "looked")
    part = f"SELECT n.key FROM name_words n WHERE {here} LIMIT {limit}"
    held = "unnest(CAST(:held AS text[])) AS h (bucket)"
    return f"SELECT p.key FROM {held} CROSS JOIN LATERAL ({part}) p LIMIT {limit}"


def _number(dialect: str, name: str) -> str:
    return f":{name}" if dialect == "sqlite" else f"CAST(:{name} AS bigint)"
