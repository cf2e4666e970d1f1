"""What counts as a signature, and what is agreed to by it."""

import struct
import warnings
import zlib
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs
from PIL import Image, PngImagePlugin

from proposals.buyer import consent, signatures
from proposals.document import canonical
from sfa.core.errors import Refused
from sfa.core.proposal_rows import template as check_template
from tests.proposals.builders import document
from tests.proposals.buyer.answers import drawing


def reason(method: str, picture: bytes | None) -> str:
    with pytest.raises(Refused) as refused:
        signatures.picture_of(method, picture)
    assert refused.value.code == "signature_invalid"
    return str(refused.value.details["reason"])


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def bomb(width: int, height: int) -> bytes:
    """A PNG of few bytes that says how large it is."""
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 6, 0, 0, 0))
    rows = zlib.compress(b"\0" * min(width * height * 4 + height, 16_008_000), 1)
    return signatures.PNG + head + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def saved(picture: Image.Image, kind: str = "PNG", **more: object) -> bytes:
    made = BytesIO()
    picture.save(made, kind, **more)
    return made.getvalue()


def test_what_is_no_drawing_is_refused() -> None:
    assert reason("typed", drawing()) == reason("drawn", None) == "drawing"
    assert reason("stamped", None) == "method"
    assert reason("drawn", b"") == reason("drawn", drawing(kind="BMP")) == "type"
    assert reason("drawn", drawing()[:60]) == "type"
    assert reason("drawn", bomb(50_000, 50_000)) == "dimensions"
    assert reason("drawn", bomb(9_000, 9_000)) == reason("drawn", drawing(size=(2_001, 40))) == "dimensions"
    assert reason("drawn", drawing(size=(8, 8), strokes=0)) == "dimensions"
    assert reason("drawn", bomb(2_000, 2_000)) == reason("drawn", drawing(strokes=0)) == "empty"
    assert reason("drawn", saved(Image.new("RGB", (300, 100), "white"))) == "empty"
    assert reason("drawn", drawing() + b"\0" * signatures.DRAWING_BYTES_MAX) == "size"


def test_what_is_drawn_is_made_anew_and_says_nothing_else() -> None:
    """No text, no profile, nothing after the picture: the same strokes, black and cut to what is drawn."""
    info = PngImagePlugin.PngInfo()
    info.add_text("Comment", "<script>secret</script>")
    with Image.open(BytesIO(drawing())) as opened:
        with_more = saved(opened, pnginfo=info, icc_profile=b"profile of somebody") + b"<?php trailing"
    made = signatures.picture_of("drawn", with_more)
    assert made is not None
    assert not any(word in made for word in (b"secret", b"tEXt", b"iCCP", b"trailing"))
    with Image.open(BytesIO(made)) as kept:
        assert (kept.format, kept.mode) == ("PNG", "P")
        assert max(kept.size) < 400
        seen = kept.convert("RGBA")
        assert {color for _, color in seen.getcolors() or []} == {(0, 0, 0, 0), (0, 0, 0, 255)}
    with Image.open(BytesIO(drawing())) as opened:
        whole = opened.getchannel("A")
        assert seen.getchannel("A").tobytes() == whole.point([0] + 255 * [255]).crop(whole.getbbox()).tobytes()
    assert signatures.picture_of("drawn", drawing()) == made
    assert signatures.picture_of("typed", None) is None


def test_what_is_kept_is_not_larger_than_what_may_come() -> None:
    """Noise that a browser's two colours hold in less than the limit, and strokes that stay small."""
    noise = Image.frombytes("1", (1_264, 1_264), Random(1).randbytes(158 * 1_264))
    assert len(saved(noise)) > signatures.DRAWING_BYTES_MAX - 1_000
    made = signatures.picture_of("drawn", saved(noise.crop((0, 0, 1_200, 1_200))))
    assert made is not None
    assert len(made) < signatures.DRAWING_BYTES_MAX
    made = signatures.picture_of("drawn", drawing())
    assert made is not None
    assert len(made) < len(drawing())


def test_a_picture_that_grows_beyond_the_limit_by_being_made_anew_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    noise = Image.frombytes("1", (64, 64), Random(1).randbytes(8 * 64)).convert("L").resize((256, 256), 0)
    small = saved(noise, optimize=True)
    made = signatures.picture_of("drawn", small)
    assert made is not None
    monkeypatch.setattr(signatures, "KEPT_BYTES_MAX", len(made) - 1)
    assert reason("drawn", small) == "size"


def test_many_drawings_are_read_at_once() -> None:
    """Nothing in reading them is of the whole process: none reads with what another one set."""
    before = list(warnings.filters)
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda _: signatures.picture_of("drawn", drawing()), range(40)))
    assert len(set(made)) == 1
    assert (list(warnings.filters), "warnings" in vars(signatures)) == (before, False)


@given(st.binary(max_size=300))
def test_no_bytes_break_it(rest: bytes) -> None:
    for found in (rest, signatures.PNG + rest, drawing()[:-40] + rest):
        try:
            signatures.picture_of("drawn", found)
        except Refused as refusal:
            assert refusal.code == "signature_invalid"  # noqa: PT017 - whatever it says, it is no failure of ours


@given(st.text(max_size=250))
def test_a_name_is_one_line_that_can_be_read(typed: str) -> None:
    try:
        name = signatures.name_of(typed)
    except Refused as refusal:
        assert refusal.details["reason"] == "name"  # noqa: PT017
        return
    assert name == " ".join(name.split()) == signatures.name_of(name)
    assert 2 <= len(name) <= signatures.NAME_MAX
    name.encode()
    assert "\x00" not in name


@pytest.mark.parametrize("typed", ["", " ", "x", "..", "12", "a\x00b", "Ana\u202elana", "\ud800na", "a" * 201, "--"])
def test_what_is_no_name_is_refused(typed: str) -> None:
    with pytest.raises(Refused):
        signatures.name_of(typed)


@pytest.mark.parametrize("typed", ["Ana Ruiz", "  José\tMaría   Ñ. ", "李明", "محمد علي", "O’Neil-Smith"])
def test_names_of_the_world_are_names(typed: str) -> None:
    assert signatures.name_of(typed) == " ".join(typed.split())


def test_what_is_agreed_to_names_the_offer_and_its_total_in_the_buyers_language() -> None:
    for language, word in (("en", "I accept"), ("es", "Acepto"), ("pt-BR", "Aceito")):
        text = consent.consent_text(document(language=language), "€1.00")
        assert text.startswith(word)
        assert all(said in text for said in ("AF-2026-0118", "Solar power", "€1.00", "Alder & Finch"))


def test_a_companys_own_text_comes_after_what_is_signed() -> None:
    own = structs.replace(document(), consent="  I have the power of {total} attorney. ")
    text = consent.consent_text(own, "€1.00")
    assert text.startswith("I accept offer AF-2026-0118")
    assert text.endswith("I have the power of {total} attorney.")
    assert b'"consent"' in canonical(own)
    assert b'"consent"' not in canonical(document())  # as it was before there was such a text


def test_a_consent_is_a_text_of_a_template_alone() -> None:
    row = {"brand": {}, "seller": {}, "texts": {"en": {"consent": "I agree."}}}
    assert check_template(row) is None
    assert check_template({**row, "texts": {"en": {"consent": "x" * 2_001}}}) is not None
    assert check_template({**row, "texts": {"en": {"consent": 1}}}) is not None
