"""Counts pages while they are laid out, so that a document that never ends is ended.

The engine says in its log when it begins a page, and nowhere else. The count is of the calling thread.
"""

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from sfa.core.errors import Refused

PROGRESS = logging.getLogger("weasyprint.progress")
_state = threading.local()


class _Counting(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        most = getattr(_state, "most", None)
        if most is not None and "Page %d" in str(record.msg) and isinstance(record.args, tuple):
            (number,) = record.args
            if isinstance(number, int) and number > most:
                raise Refused("pdf_refused", f"a document has at most {most} pages", reason="pages")
        return False


@contextmanager
def pages_counted(most: int) -> Iterator[None]:
    """Inside, laying out page `most` + 1 refuses `pdf_refused` with the reason `pages`."""
    if not any(isinstance(known, _Counting) for known in PROGRESS.filters):
        PROGRESS.addFilter(_Counting())
        PROGRESS.setLevel(logging.INFO)
    _state.most = most
    try:
        yield
    finally:
        _state.most = None
