"""The wire as the device needs it: one POST, an answer or a lost connection.

`ConnectionLost` says that nobody knows whether the request arrived. Every request of the device may be repeated then.
"""

from typing import Protocol


class ConnectionLost(Exception):
    """No whole answer came: the request, the answer or a part of it was lost."""


class Transport(Protocol):
    def post(self, path: str, body: bytes, token: str | None) -> tuple[int, bytes]:
        """Send a JSON body; -> (HTTP status, JSON body), inflated. Raises `ConnectionLost`."""
        ...
