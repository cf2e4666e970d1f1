"""The process that draws, apart from the server: Vega runs in V8, which holds the interpreter while it works.

It reads orders, as JSON because amounts may be of any size, on standard input and writes pictures to standard output,
each after its length in four bytes, and ends when nobody is left to read. Heavy libraries are imported here, at the
first order. Nothing is fetched: a specification holds its own data, no address is allowed, and the font lies beside
this file. Equal orders give equal bytes.
"""

import sys
from pathlib import Path

import msgspec
from msgspec import Struct

from forecasting.pictures.values import AccuracyPicture, MovementPicture, Picture, RollupPicture
from sfa.core.apart import only_answers
from sfa.core.frames import receive, send

FONTS = Path(__file__).parent / "fonts"
FORMS = {"vl": "application/vnd.vegalite.v6+json", "svg": "image/svg+xml", "png": "image/png"}
DRAWN, FAILED = b"+", b"-"


class Order(Struct, frozen=True):
    """`scale` is how many pixels of a PNG stand for one of the picture's own."""

    form: str
    picture: Picture
    scale: int = 2


def specification(picture: Picture) -> dict[str, object]:
    """The Vega-Lite specification, complete in itself."""
    from forecasting.pictures import accuracies, bars, bridges  # heavy, and of no use to who does not draw

    match picture:
        case RollupPicture():
            return bars.rollup_spec(picture)
        case MovementPicture():
            return bridges.movement_spec(picture)
        case AccuracyPicture():
            return accuracies.accuracy_spec(picture)


def draw(order: Order) -> bytes:
    spec = specification(order.picture)
    if order.form == "vl":
        return msgspec.json.encode(spec)
    import vl_convert

    if not _fonts:
        vl_convert.register_font_directory(str(FONTS))
        _fonts.append(FONTS)
    svg = vl_convert.vegalite_to_svg(spec, allowed_base_urls=[])
    if "<text" not in svg:  # Vega tells what it could not do to its log alone
        raise ValueError("the picture is blank")
    return svg.encode() if order.form == "svg" else vl_convert.svg_to_png(svg, scale=order.scale)


_fonts: list[Path] = []  # those that this process has registered; twice would be twice the work for each text


def main() -> None:
    orders = sys.stdin.buffer
    with only_answers() as pictures:
        while (data := receive(orders)) is not None:
            try:
                send(pictures, DRAWN + draw(msgspec.json.decode(data, type=Order)))
            except Exception as error:  # the next order may be in order
                send(pictures, FAILED + f"{type(error).__name__}: {error}".encode())


if __name__ == "__main__":
    main()
