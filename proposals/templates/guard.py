"""What a company's template may say, decided before it is compiled: blocks of the base, of text, fields, ifs and loops.

Promises: only what is listed here passes, so that nothing has to be known of what Jinja can do besides. There is no
arithmetic, no joining of texts, no variable, macro, import or recursion: what passes ends, and what it writes is as
long as its own text and the document's, times its loops, which `sandbox` counts. Fields are held to the types of
`sheet`, so that an unknown one is found here and not in the middle of printing. One pass, bounded in nodes and depth.
"""

from collections.abc import Iterable
from contextlib import suppress
from functools import lru_cache

from jinja2 import Environment, nodes
from jinja2.exceptions import TemplateError
from msgspec import Struct

from proposals.templates.kinds import FLAG, LOOP, MARKUP, NUMBER, PRINTED, TEXT, Kind, Many, fields_of
from proposals.templates.problems import Problem, Reason
from proposals.templates.sheet import Sheet
from proposals.templates.template import BASES, SOURCE_MAX, read
from proposals.templates.words import PLACES, known

DEPTH_MAX, NODES_MAX, LOOPS_MAX, LITERAL_MAX, ARGUMENTS_MAX = 40, 5_000, 3, 2_000, 6
# Every document has them as the base prints them: who looks for the total finds it, whatever a company adds.
KEPT = frozenset(("page", "totals"))
RESERVED = frozenset(("sheet", "kind", "_", "blocks", "super", "loop", "self"))
TESTS = frozenset(("none", "odd", "even"))
TEXT_FILTERS = frozenset(("upper", "lower", "trim"))
Body = Iterable[nodes.Node]


class Checked(Struct, frozen=True):
    """What was found. `bare` are fields that are printed without asking whether they have a value, by their line."""

    problems: tuple[Problem, ...]
    bare: dict[str, int]


@lru_cache(maxsize=1)
def blocks_of_bases() -> frozenset[str]:
    tree = Environment().parse(read("layout.html.j2"))
    return frozenset(block.name for block in tree.find_all(nodes.Block)) - KEPT


@lru_cache(maxsize=1)
def pieces() -> frozenset[str]:
    """What `blocks.…` has to print."""
    tree = Environment().parse((BASES / "blocks.html.j2").read_text("utf-8"))
    return frozenset(macro.name for macro in tree.find_all(nodes.Macro))


@lru_cache(maxsize=64)
def checked(source: str) -> Checked:
    """Whether the source may be compiled. Never raises; takes milliseconds, whatever the source is."""
    if len(source) > SOURCE_MAX:
        return Checked((Problem("size", f"a source has at most {SOURCE_MAX} characters"),), {})
    try:
        tree = Environment(trim_blocks=True, lstrip_blocks=True).parse(source)
    except TemplateError as error:
        line = getattr(error, "lineno", 0) or 0
        return Checked((Problem("syntax", (error.message or "cannot be read")[:200], line),), {})
    except (RecursionError, ValueError, OverflowError, SyntaxError) as error:
        return Checked((Problem("syntax", f"cannot be read: {type(error).__name__}"),), {})
    reader = _Reader()
    with suppress(_Enough):
        reader.whole(tree)
    return Checked(tuple(reader.problems), reader.bare)


class _Enough(Exception):
    """Too many nodes, or too deep: nothing more is looked at."""


class _Reader:
    def __init__(self) -> None:
        self.problems: list[Problem] = []
        self.bare: dict[str, int] = {}
        self._names: list[dict[str, Kind]] = [{"sheet": Sheet, "kind": TEXT}]
        self._asked: list[set[str]] = []
        self._loops = self._nodes = self._depth = 0

    def whole(self, tree: nodes.Template) -> None:
        seen = set()
        for node in tree.body:
            if isinstance(node, nodes.Block):
                if node.name not in blocks_of_bases():
                    names = ", ".join(sorted(blocks_of_bases()))
                    self._say(node, "not_allowed", f"there is no block {node.name[:50]} to redefine, but: {names}")
                elif node.name in seen or node.scoped or node.required:
                    self._say(node, "not_allowed", f"the block {node.name} is redefined once, and plainly")
                seen.add(node.name)
                self._all(node.body)
            elif not (isinstance(node, nodes.Output) and all(_is_blank(piece) for piece in node.nodes)):
                self._say(node, "not_allowed", "only blocks of the base stand at the top")

    # -- statements ---------------------------------------------------------------------------------------------------

    def _all(self, body: Body) -> None:
        for node in body:
            self._enter(node)
            match node:
                case nodes.Output():
                    for piece in node.nodes:
                        self._print(piece)
                case nodes.If():
                    self._if(node)
                case nodes.For():
                    self._for(node)
                case _:
                    self._never(node)
            self._depth -= 1

    def _print(self, piece: nodes.Node) -> None:
        if isinstance(piece, nodes.TemplateData):
            return
        kind = self._kind(piece)
        if kind is not None and kind not in PRINTED:
            self._say(piece, "not_allowed", "only texts and numbers are printed: name a field of it")
        path = _path(piece)
        if path is not None and not any(path in asked for asked in self._asked):
            self.bare.setdefault(path, piece.lineno)

    def _if(self, node: nodes.If) -> None:
        self._kind(node.test)
        self._asked.append({path for each in _within(node.test) if (path := _path(each)) is not None})
        self._all(node.body)
        self._all(node.elif_)
        self._all(node.else_)
        self._asked.pop()

    def _for(self, node: nodes.For) -> None:
        found = self._kind(node.iter)
        if found is not None and not isinstance(found, Many):
            self._say(node, "not_allowed", "loops go over the lists of the document")
        target = node.target
        if node.recursive or not isinstance(target, nodes.Name) or target.name in RESERVED:
            self._say(node, "not_allowed", "a loop has one name of its own and does not call itself")
            return
        if self._loops >= LOOPS_MAX:
            self._say(node, "not_allowed", f"at most {LOOPS_MAX} loops are inside one another")
        self._loops += 1
        names: dict[str, Kind] = {target.name: found.of} if isinstance(found, Many) else {}
        self._names.append(names)
        if node.test is not None:
            self._kind(node.test)
        self._names.append({"loop": LOOP})
        self._all(node.body)
        self._names.pop()
        self._names.pop()
        self._loops -= 1
        self._all(node.else_)

    # -- expressions --------------------------------------------------------------------------------------------------

    def _kind(self, node: nodes.Node) -> Kind | None:
        """What the expression gives; None where it is refused."""
        self._enter(node)
        try:
            return self._expression(node)
        finally:
            self._depth -= 1

    def _expression(self, node: nodes.Node) -> Kind | None:
        match node:
            case nodes.Name():
                return self._name(node)
            case nodes.Const():
                return self._literal(node)
            case nodes.Getattr():
                return self._field(node)
            case nodes.Getitem():
                return self._part(node)
            case nodes.Compare():
                for each in (node.expr, *(operand.expr for operand in node.ops)):
                    self._kind(each)
                return FLAG
            case nodes.Not():
                self._kind(node.node)
                return FLAG
            case nodes.And() | nodes.Or():
                return self._same(node, (node.left, node.right))
            case nodes.CondExpr():
                self._kind(node.test)
                return self._same(node, (node.expr1, node.expr2) if node.expr2 is not None else (node.expr1,))
            case nodes.List() | nodes.Tuple():
                found = self._same(node, node.items)
                return Many(found) if found is not None else None
            case nodes.Filter():
                return self._filter(node)
            case nodes.Test():
                self._kind(node.node)
                if node.name not in TESTS or node.args or node.kwargs:
                    self._say(node, "not_allowed", f"`is {node.name[:50]}` is not for templates of a company")
                return FLAG
            case nodes.Call():
                return self._call(node)
        return self._never(node)

    def _name(self, node: nodes.Name) -> Kind | None:
        for names in reversed(self._names):
            if node.name in names:
                return names[node.name]
        return self._unknown(node, node.name)

    def _literal(self, node: nodes.Const) -> Kind | None:
        value = node.value
        if value is None or isinstance(value, bool):
            return FLAG
        if isinstance(value, str) and len(value) <= LITERAL_MAX:
            return TEXT
        if isinstance(value, int) and abs(value) <= 1_000_000:
            return NUMBER
        return self._say(node, "not_allowed", "a text or number that is too large")

    def _field(self, node: nodes.Getattr) -> Kind | None:
        kind = self._kind(node.node)
        if kind is None:
            return None
        found = fields_of(kind).get(node.attr)
        return found if found is not None else self._unknown(node, _path(node) or node.attr)

    def _part(self, node: nodes.Getitem) -> Kind | None:
        """One of a list, or some of it; of texts that are no markup some characters."""
        kind, place = self._kind(node.node), node.arg
        ends = [place.start, place.stop, place.step] if isinstance(place, nodes.Slice) else [place]
        if not all(end is None or (isinstance(end, nodes.Const) and type(end.value) is int) for end in ends):
            return self._say(node, "not_allowed", "places are whole numbers")
        if isinstance(kind, Many):
            return kind if isinstance(place, nodes.Slice) else kind.of
        if kind == TEXT or kind is None:
            return kind
        return self._say(node, "not_allowed", "only lists and plain texts have places")

    def _same(self, node: nodes.Node, each: Iterable[nodes.Node]) -> Kind | None:
        kinds = [self._kind(one) for one in each]
        if None in kinds:
            return None
        if kinds and all(kind in PRINTED for kind in kinds):
            return MARKUP if MARKUP in kinds else kinds[0] if len(set(kinds)) == 1 else TEXT
        if kinds and all(kind == kinds[0] for kind in kinds):
            return kinds[0]
        if isinstance(node, nodes.And | nodes.Or):
            return FLAG
        return self._say(node, "not_allowed", "all of them are of one kind")

    def _filter(self, node: nodes.Filter) -> Kind | None:
        kind = self._kind(node.node) if node.node is not None else None
        is_bare = not (node.args or node.kwargs or node.dyn_args or node.dyn_kwargs)
        if kind is None:
            return self._never(node) if node.node is None else None
        if is_bare and node.name in TEXT_FILTERS and kind == TEXT:
            return TEXT
        if is_bare and node.name in ("length", "count") and (isinstance(kind, Many) or kind == TEXT):
            return NUMBER
        if is_bare and node.name in ("first", "last") and (isinstance(kind, Many) or kind == TEXT):
            return kind.of if isinstance(kind, Many) else TEXT
        if node.name == "join" and isinstance(kind, Many) and kind.of in PRINTED and self._is_joint(node):
            return kind.of
        return self._say(node, "not_allowed", f"the filter {node.name[:50]} is not for this")

    def _is_joint(self, node: nodes.Filter) -> bool:
        given = [each.value for each in node.args if isinstance(each, nodes.Const)]
        is_short = all(isinstance(value, str) and len(value) <= 10 for value in given)
        return len(node.args) == len(given) <= 1 and is_short and not (node.kwargs or node.dyn_args or node.dyn_kwargs)

    def _call(self, node: nodes.Call) -> Kind | None:
        called, given = node.node, [*node.args, *(each.value for each in node.kwargs)]
        if node.dyn_args is not None or node.dyn_kwargs is not None or len(given) > ARGUMENTS_MAX:
            return self._never(node)
        if isinstance(called, nodes.Name) and called.name == "_":
            return self._text(node)
        if isinstance(called, nodes.Name) and called.name == "super" and not given:
            return MARKUP
        if isinstance(called, nodes.Getattr) and isinstance(called.node, nodes.Name) and called.node.name == "blocks":
            if called.attr not in pieces():
                return self._unknown(node, f"blocks.{called.attr}")
            for each in given:
                self._kind(each)
            return MARKUP
        return self._say(node, "not_allowed", "nothing is called but `_`, `super` and pieces of `blocks`")

    def _text(self, node: nodes.Call) -> Kind | None:
        key = node.args[0].value if len(node.args) == 1 and isinstance(node.args[0], nodes.Const) else None
        if key not in known():
            text = "`_` says the texts of the catalogue only: " + (str(key)[:50] if key else "write one")
            return self._say(node, "unknown_text", text)
        if {each.key for each in node.kwargs} != set(PLACES.findall(key)):
            return self._say(node, "unknown_text", f"fill the places of {key[:50]!r}, and no others")
        kinds = [self._kind(each.value) for each in node.kwargs]
        if any(kind is not None and kind not in PRINTED for kind in kinds):
            return self._say(node, "not_allowed", "texts and numbers fill a text")
        return MARKUP if MARKUP in kinds else TEXT

    # -- what is found ------------------------------------------------------------------------------------------------

    def _enter(self, node: nodes.Node) -> None:
        self._nodes, self._depth = self._nodes + 1, self._depth + 1
        if self._nodes > NODES_MAX or self._depth > DEPTH_MAX:
            self._say(node, "size", f"at most {NODES_MAX} pieces, {DEPTH_MAX} inside one another")
            raise _Enough

    def _say(self, node: nodes.Node, reason: Reason, text: str, field: str = "") -> Kind | None:
        self.problems.append(Problem(reason, text, node.lineno, field))
        return None

    def _never(self, node: nodes.Node) -> Kind | None:
        return self._say(node, "not_allowed", f"{type(node).__name__.lower()} is not for templates of a company")

    def _unknown(self, node: nodes.Node, field: str) -> Kind | None:
        return self._say(node, "unknown_field", f"there is no {field[:100]}", field[:100])


def _is_blank(piece: nodes.Node) -> bool:
    return isinstance(piece, nodes.TemplateData) and not piece.data.strip()


def _path(node: nodes.Node) -> str | None:
    """`sheet.seller.name` of what stands for it; None for all else."""
    names: list[str] = []
    while isinstance(node, nodes.Getattr) and len(names) < DEPTH_MAX:
        names.append(node.attr)
        node = node.node
    return (
        ".".join(["sheet", *reversed(names)])
        if names and isinstance(node, nodes.Name) and node.name == "sheet"
        else None
    )


def _within(node: nodes.Node) -> list[nodes.Node]:
    return [node, *node.find_all(nodes.Getattr)]
