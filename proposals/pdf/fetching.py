"""What a document may load: stored pictures, by `asset:<sha256>`. Nothing else.

There is no opener behind it that could follow a redirect, read a file or reach a network: an address of any other kind
is refused before anything is asked, and the whole document with it. Fonts are not loaded: the engine has the bundled
ones, and `font:<file>` in a style is for who shows the same HTML elsewhere.
"""

import re
from collections.abc import Callable, Mapping
from hashlib import sha256
from importlib import import_module
from typing import Any

from proposals.pdf.images import cleaned
from sfa.core.errors import Refused

Assets = Mapping[str, bytes] | Callable[[str], bytes | None]
ASSET = re.compile(r"asset:([0-9a-f]{64})\Z")


class Fetcher:
    """Called by the engine with an address. What it refused is in `refused`, as the engine hides some errors."""

    _fail_on_errors = True  # the engine then stops at the first one

    def __init__(self, assets: Assets) -> None:
        self._assets = assets
        self.refused: Refused | None = None

    def __call__(self, url: str) -> Any:
        try:
            body, media_type = self._read(url)
        except Refused as refused:
            self.refused = self.refused or refused
            raise
        urls = import_module("weasyprint.urls")
        return urls.URLFetcherResponse(url, body, {"Content-Type": media_type})

    def _read(self, url: str) -> tuple[bytes, str]:
        if named := ASSET.match(url):
            return self._picture(named[1])
        shown = url[:100]
        raise Refused(
            "pdf_refused", f"a document loads nothing but its pictures: {shown}", reason="address", address=shown
        )

    def _picture(self, digest: str) -> tuple[bytes, str]:
        content = self._assets(digest) if callable(self._assets) else self._assets.get(digest)
        if content is None or sha256(content).hexdigest() != digest:
            raise Refused("pdf_refused", f"the picture {digest} is not there", reason="picture_missing", picture=digest)
        picture = cleaned(content)
        return picture.content, picture.media_type
