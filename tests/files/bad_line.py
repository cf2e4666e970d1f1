"""A line between a client and a server that breaks after random numbers of bytes, and tells when much has passed."""

import random
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress

BYTES = 16 << 10
PAUSE_S = 0.004  # some 4 MB a second: what is on its way at a cut is what a network holds, not what a kernel does


class BadLine:
    """Listens on a port of its own. Each connection carries `least` to `most` bytes upwards, then it is cut on both
    sides in the middle of whatever was on its way. `passed` is told the bytes that went up so far, after each piece."""

    def __init__(self, port: int, seed: int, least: int, most: int, passed: Callable[[int], None]) -> None:
        self._to, self._rng, self._range, self._passed = port, random.Random(seed), (least, most), passed
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listening.getsockname()[1]}"
        self.cuts = self.bytes_up = 0
        self._open = True
        self._accepting = threading.Thread(target=self._accept, daemon=True)
        self._accepting.start()

    def close(self) -> None:
        self._open = False
        with suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self._accepting.join(timeout=5)

    def _accept(self) -> None:
        while self._open:
            try:
                client, _ = self._listening.accept()
            except OSError:
                return
            threading.Thread(target=self._carry, args=(client,), daemon=True).start()

    def _carry(self, client: socket.socket) -> None:
        left = self._rng.randint(*self._range)
        try:
            server = socket.create_connection(("127.0.0.1", self._to), timeout=5)
            server.settimeout(None)
        except OSError:
            client.close()
            return
        threading.Thread(target=_pump, args=(server, client), daemon=True).start()
        with suppress(OSError):
            while data := client.recv(min(BYTES, left)):
                server.sendall(data)
                left -= len(data)
                self.bytes_up += len(data)
                self._passed(self.bytes_up)
                time.sleep(PAUSE_S)
                if left <= 0:
                    self.cuts += 1
                    break
        _end(client, server)


def _pump(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(BYTES):
            target.sendall(data)
    _end(source, target)


def _end(*sockets: socket.socket) -> None:
    for one in sockets:
        with suppress(OSError):
            one.shutdown(socket.SHUT_RDWR)
        one.close()
