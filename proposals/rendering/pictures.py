"""Logos and pictures that proposals show: looked at, drawn anew and kept by their digest before anything prints them.

A company's own are for every proposal and are uploaded by who writes its templates; a proposal's are for itself and
come from who may change it. Whatever came, what is kept is a PNG or a JPEG that holds pixels and nothing else. The same
picture again changes nothing.
"""

import hashlib
import io
import uuid
import warnings
from collections.abc import Collection
from contextlib import suppress

import msgspec
from msgspec import Struct
from PIL import Image
from sqlalchemy import Connection, delete, func, insert, select, update

from proposals.document import Document
from proposals.pdf import images
from proposals.printable import pictures_of
from proposals.rendering.queue import unpacked
from sfa.core.access import may_write
from sfa.core.errors import Refused
from sfa.core.ids import is_key
from sfa.crm.edits import check_owned, check_rights, is_visible
from sfa.crm.online import person
from sfa.db.tables import ROWS, proposal_assets, proposal_renders, proposal_versions
from sfa.db.writes import Door
from sfa.files import arrivals
from sfa.files.rules import Content
from sfa.files.service import Files

SIDE_MAX = 4_000
BYTES_MAX = images.BYTES_MAX
PICTURES_MAX = 500  # of the company, and of each proposal
NAME_MAX = 100
COMPANY = ""  # in the place of a proposal's key
KEPT_MS = 30 * 86_400_000  # before nobody shows it: whoever added it has not put it anywhere yet
_A, _V, _R, _P = proposal_assets.c, proposal_versions.c, proposal_renders.c, ROWS["proposals"].c


class Asset(Struct, frozen=True):
    """A picture that is kept; `size` in bytes, the others in pixels."""

    sha256: str
    media_type: str
    width: int
    height: int
    size: int
    name: str


_COLUMNS = [_A[name] for name in Asset.__struct_fields__]


def drawn(content: bytes) -> images.Picture:
    """The picture as it is kept: upright, of at most `images.PRINTED_MAX` pixels a side. Refuses `picture_invalid`."""
    _check_sides(content)
    found = images.cleaned(content)
    if found.content is not content:
        return found
    out = io.BytesIO()
    with Image.open(io.BytesIO(content), formats=["PNG", "JPEG"]) as image:
        kind = found.media_type.partition("/")[2].upper()
        image.load()
        if kind == "JPEG":
            image.save(out, "JPEG", quality="keep")  # as fine as it was, without what lies behind or beside it
        else:
            bare = Image.new(image.mode, image.size)
            bare.paste(image)
            bare.save(out, "PNG")
    return images.Picture(out.getvalue(), found.media_type, found.width, found.height)


def _check_sides(content: bytes) -> None:
    """By the header: nothing is decoded. What is no picture is refused by who decodes it."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(io.BytesIO(content), formats=["PNG", "JPEG"]) as image:
                side = max(image.size)
    except Exception:  # a decoder may fail in any way on hostile bytes
        return
    if side > SIDE_MAX:
        raise Refused("picture_invalid", f"a picture has at most {SIDE_MAX} pixels a side", reason="pixels")


async def keep(files: Files, user: str, proposal: str, name: str, content: bytes) -> Asset:
    """The whole way of a picture that came. Refuses `picture_invalid`, and who may not."""
    async with files.drawing:
        made = await files.aside(drawn, content)
    asset = Asset(
        hashlib.sha256(made.content).hexdigest(),
        made.media_type,
        made.width,
        made.height,
        len(made.content),
        "".join(letter for letter in name if letter.isprintable())[:NAME_MAX],
    )
    kept = Content(asset.sha256, asset.size, asset.media_type, asset.width, asset.height)
    path = files.place.scratch() / uuid.uuid4().hex
    try:
        await files.aside(path.write_bytes, made.content)
        await files.database.write_async(arrivals.claim, files.clock.now_ms(), kept)
        await files.aside(files.place.keep, kept.sha256, path)
    finally:
        with suppress(FileNotFoundError):
            await files.aside(path.unlink)
    await files.database.write_async(_note, files.clock.now_ms(), user, proposal, asset, kept)
    return asset


def check_may_add(connection: Connection, user: str, proposal: str) -> None:
    """Whether this person may add a picture to the company's, or to a proposal."""
    who = person(connection, user)
    if proposal == COMPANY:
        if not may_write(who.role, "proposal_templates"):
            raise Refused("not_permitted", f"the role {who.role} may not write proposal_templates")
        return
    door = Door(connection, 0)
    cell = door.cell("proposals", proposal, "none") if is_key(proposal) else None
    if cell is None or not cell.exists or not is_visible(door, who, cell):
        raise Refused("not_found")
    check_rights(who, "proposals", (), creating=False)
    check_owned(door, who, cell)


def known(connection: Connection, proposal: str, digests: Collection[str]) -> dict[str, Asset]:
    """Of these pictures those that a proposal may show: its own and the company's."""
    query = select(*_COLUMNS).where(_A.sha256.in_(sorted(digests)), _A.proposal_key.in_((COMPANY, proposal)))
    return {row["sha256"]: msgspec.convert(row, Asset) for row in connection.execute(query).mappings()}


def size_of(connection: Connection, proposal: str, digests: Collection[str]) -> int:
    """What these pictures have together, in bytes."""
    return sum(asset.size for asset in known(connection, proposal, digests).values()) if digests else 0


def listed(connection: Connection, proposal: str) -> list[Asset]:
    """A proposal's own, or the company's; the newest first."""
    query = select(*_COLUMNS).where(_A.proposal_key == proposal).order_by(_A.at.desc(), _A.sha256)
    return [msgspec.convert(row, Asset) for row in connection.execute(query).mappings()]


def proposals_with(connection: Connection, sha256: str) -> list[str]:
    """Whose a picture is: keys of proposals, and `COMPANY`."""
    return list(connection.execute(select(_A.proposal_key).where(_A.sha256 == sha256)).scalars())


def collect(connection: Connection, now_ms: int, kept_ms: int = KEPT_MS) -> int:
    """Forget pictures of proposals that neither the draft, nor a version of it, nor an order shows, some time after
    they came; -> how many. The bytes go with the next sweep of files, where nobody else shows them. The company's
    stay: they are few, and what was sent by others shows them."""
    others = (_A.proposal_key != COMPANY, _A.at <= now_ms - kept_ms)
    found = 0
    for key in connection.execute(select(_A.proposal_key).where(*others).distinct()).scalars().all():
        old = set(connection.execute(select(_A.sha256).where(*others, _A.proposal_key == key)).scalars())
        loose = sorted(old - _shown(connection, key))
        gone = delete(proposal_assets).where(*others, _A.proposal_key == key, _A.sha256.in_(loose))
        found += connection.execute(gone).rowcount if loose else 0
    return found


def _shown(connection: Connection, key: str) -> set[str]:
    """By the draft if it is there, by what was sent, by what waits to be printed."""
    row = connection.execute(select(_P.sections).where(_P.key == key, ~_P.gone)).scalar()
    shown = {picture["sha256"] for section in row or () for picture in section.get("pictures", ())}
    bodies = list(connection.execute(select(_V.document).where(_V.proposal_key == key)).scalars())
    for packed in connection.execute(select(_R.body).where(_R.proposal_key == key, _R.body.is_not(None))).scalars():
        bodies.append(unpacked(packed).document)
    for body in bodies:
        shown |= {picture.sha256 for picture in pictures_of(msgspec.json.decode(body, type=Document))}
    return shown


def _note(connection: Connection, now_ms: int, user: str, proposal: str, asset: Asset, content: Content) -> None:
    check_may_add(connection, user, proposal)
    arrivals.keep(connection, now_ms, content)
    here = (_A.sha256 == asset.sha256, _A.proposal_key == proposal)
    if connection.execute(update(proposal_assets).where(*here).values(at=now_ms)).rowcount:
        return
    if connection.execute(select(func.count()).where(_A.proposal_key == proposal)).scalar_one() >= PICTURES_MAX:
        raise Refused("picture_invalid", f"there are {PICTURES_MAX} pictures already", reason="too_many")
    row = {**msgspec.to_builtins(asset), "proposal_key": proposal, "at": now_ms, "by": user}
    connection.execute(insert(proposal_assets), row)
