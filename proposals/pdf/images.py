"""Pictures as documents may hold them: PNG or JPEG, in grey or RGB, no larger than a page needs, nothing but pixels.

A file is opened only by the decoder of the kind that its first bytes say, and decoded only if its header promises few
enough pixels. What the camera, or somebody else, wrote beside the pixels is left out; what is fine stays as it is.
"""

import io
import warnings
from typing import Any, NamedTuple

from PIL import Image, ImageOps

from sfa.core.errors import Refused

BYTES_MAX = 20 * 1024 * 1024
PIXELS_MAX = 40_000_000  # decoded, that is 160 MB
SIDE_MAX = 20_000
PRINTED_MAX = 2_400  # pixels of a side: A4 at 300 dots an inch
SIGNATURES = {b"\x89PNG\r\n\x1a\n": "PNG", b"\xff\xd8\xff": "JPEG"}
END_OF_JPEG = b"\xff\xd9"  # after which a file could hold anything
MODES = {"L", "RGB", "RGBA"}
WHITE = (255, 255, 255)


class Picture(NamedTuple):
    content: bytes
    media_type: str
    width: int
    height: int


def cleaned(content: bytes) -> Picture:
    """The picture as it is printed. Refuses `picture_invalid` for what is none, lies about itself or is too large."""
    kind = next((kind for start, kind in SIGNATURES.items() if content.startswith(start)), None)
    if kind is None:
        raise Refused("picture_invalid", "a picture is a PNG or a JPEG", reason="kind")
    if len(content) > BYTES_MAX:
        raise Refused("picture_invalid", f"a picture has at most {BYTES_MAX} bytes", reason="bytes")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of large images: the limit below is ours
            with Image.open(io.BytesIO(content), formats=[kind]) as image:
                if image.width * image.height > PIXELS_MAX or max(image.size) > SIDE_MAX:
                    raise _too_large()
                return _redrawn(image, content, kind)
    except Refused:
        raise
    except Image.DecompressionBombError as error:
        raise _too_large() from error
    except Exception as error:  # a decoder may fail in any way on hostile bytes
        raise Refused(
            "picture_invalid", f"the picture cannot be read: {type(error).__name__}", reason="broken"
        ) from error


def _too_large() -> Refused:
    return Refused("picture_invalid", f"a picture has at most {PIXELS_MAX} pixels, {SIDE_MAX} a side", reason="pixels")


def _redrawn(image: Image.Image, content: bytes, kind: str) -> Picture:
    if max(image.size) > PRINTED_MAX:
        image.draft("RGB", (PRINTED_MAX, PRINTED_MAX))  # a JPEG is then decoded at a fraction of its size
    image.load()
    if _plain(image) and (kind == "PNG" or content.endswith(END_OF_JPEG)):
        return Picture(content, f"image/{kind.lower()}", image.width, image.height)
    upright: Image.Image = ImageOps.exif_transpose(image)
    clear = "transparency" in upright.info or upright.mode in ("LA", "PA", "RGBA", "La", "RGBa")
    upright = upright.convert("RGBA" if clear else "L" if upright.mode in ("1", "L") else "RGB")
    upright.thumbnail((PRINTED_MAX, PRINTED_MAX))
    bare = Image.new(upright.mode, upright.size)
    bare.paste(upright)  # pixels only: no profile, no text, no camera
    out = io.BytesIO()
    options: dict[str, Any] = {"quality": 90} if kind == "JPEG" and not clear else {}
    made = "JPEG" if options else "PNG"
    bare.save(out, made, **options)
    return Picture(out.getvalue(), f"image/{made.lower()}", bare.width, bare.height)


def _plain(image: Image.Image) -> bool:
    """Whether the file can be printed as it stands."""
    if image.mode not in MODES or max(image.size) > PRINTED_MAX or getattr(image, "n_frames", 1) != 1:
        return False
    return not set(image.info) - {"jfif", "jfif_version", "jfif_unit", "jfif_density", "dpi"}
