"""A mobile network on loopback: a tunnel to the server that can be cut at any byte.

`fate` decides what becomes of the connections from now on: `open` lets everything pass; `cut_request` ends the
connection after the first bytes of a request, so that it never arrives whole; `cut_answer` lets the request pass and
ends the connection at the first byte of the answer; `stall` keeps answers back for ever after `answers` more of them.
"""

import socket
import threading
from contextlib import suppress

CHUNK = 65_536
REQUEST_BYTES = 40


class Tunnel:
    def __init__(self, port: int) -> None:
        self._port = port
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listening.getsockname()[1]}"
        self.fate, self.answers = "open", 0
        self.cut = 0
        self.stalled = threading.Event()
        self._sockets: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        _end(self._listening, *self._sockets)

    def stall_after(self, answers: int) -> None:
        self.stalled.clear()
        self.fate, self.answers = "stall", answers

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                phone, _ = self._listening.accept()
                try:
                    server = socket.create_connection(("127.0.0.1", self._port))
                except OSError:  # there is no server
                    phone.close()
                    continue
                self._sockets += [phone, server]
                for source, target, work in ((phone, server, self._up), (server, phone, self._down)):
                    threading.Thread(target=work, args=(source, target), daemon=True).start()

    def _up(self, phone: socket.socket, server: socket.socket) -> None:
        with suppress(OSError):
            while data := phone.recv(CHUNK):
                if self.fate == "cut_request":
                    server.sendall(data[:REQUEST_BYTES])
                    self.cut += 1
                    break
                server.sendall(data)
        _end(phone, server)

    def _down(self, server: socket.socket, phone: socket.socket) -> None:
        with suppress(OSError):
            while data := server.recv(CHUNK):
                if self.fate == "cut_answer":
                    self.cut += 1
                    break
                if self.fate == "stall":
                    self.answers -= 1
                    if self.answers < 0:
                        self.stalled.set()
                        continue
                phone.sendall(data)
        _end(phone, server)


def _end(*sockets: socket.socket) -> None:
    for one in sockets:
        with suppress(OSError):
            one.shutdown(socket.SHUT_RDWR)
        one.close()
