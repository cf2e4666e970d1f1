"""Small pictures of images: upright, without anything that the camera wrote about place or time.

An image is opened only by the decoder of its own kind and only while its header promises few enough pixels; a JPEG is
decoded at a fraction of its size. What is made is a JPEG, whatever came.
"""

import io
import warnings
from pathlib import Path

from PIL import Image, ImageOps

from sfa.core.errors import Refused
from sfa.files.sniffing import DECODED

SIZES = (96, 256, 512, 1024)
QUALITY = 80
PIXELS_MAX = 40_000_000  # a small file can pretend to be a large image
JPEG_PIXELS_MAX = 120_000_000  # which is decoded at a fraction of its size
WHITE = (255, 255, 255)


def draw(path: Path, media_type: str, pixels: int) -> bytes:
    """The thumbnail, at most `pixels` wide and high. Refuses `thumbnail_impossible`."""
    if media_type not in DECODED:
        raise Refused("thumbnail_impossible", f"{media_type} is no image that can be drawn small")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(path, formats=[DECODED[media_type]]) as image:
                limit = JPEG_PIXELS_MAX if image.format == "JPEG" else PIXELS_MAX
                if image.width * image.height > limit:
                    raise Refused("thumbnail_impossible", f"more than {limit} pixels")
                return _drawn(image, pixels)
    except Refused:
        raise
    except Exception as error:  # a decoder may fail in any way on hostile bytes
        raise Refused("thumbnail_impossible", f"the image cannot be read: {type(error).__name__}") from error


def _drawn(image: Image.Image, pixels: int) -> bytes:
    image.draft("RGB", (pixels, pixels))
    upright = ImageOps.exif_transpose(image)
    upright.thumbnail((pixels, pixels))
    if upright.mode in ("RGBA", "LA", "PA", "P"):
        clear = upright.convert("RGBA")
        upright = Image.new("RGB", clear.size, WHITE)
        upright.paste(clear, mask=clear.getchannel("A"))
    out = io.BytesIO()
    upright.convert("RGB").save(out, "JPEG", quality=QUALITY, optimize=True)
    return out.getvalue()
