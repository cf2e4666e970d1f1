"""Printing processes that misbehave: the real one, but for what it makes of an order. `WHAT` is one or more lines."""

from proposals.document import canonical
from proposals.rendering.values import Order
from proposals.rendering.worker import START
from proposals.templates.template import BUILT_IN
from tests.proposals import builders

DOCUMENT = canonical(builders.document())
ORDER = Order(DOCUMENT, BUILT_IN["classic"])
PROGRAM = START.replace(
    "main(int(",
    """
import socket, signal, subprocess, time
from pathlib import Path
from proposals.rendering import process
from sfa.core.errors import Refused
folder = Path(sys.argv[3])
def made(order):
    said = order.document.decode()
    WHAT
process.made = made
process.load = lambda prints: None
main(int(""",
    1,
)


def saying(said: str) -> Order:
    """An order for a made-up process: its document is a word."""
    return Order(said.encode(), BUILT_IN["classic"])


def program(what: str) -> str:
    return PROGRAM.replace("WHAT", what.strip().replace("\n", "\n    "))


OBEYS = program("""
if said == "sleep":
    time.sleep(600)
if said == "loop":
    while True:
        pass
if said == "memory":
    bytearray(10 << 30)
if said == "grow":
    process.grown = bytearray(200 << 20)
if said == "die":
    os._exit(9)
if said == "full":
    grown = bytearray(240 << 20)
    time.sleep(0.6)
    os.kill(os.getpid(), signal.SIGSEGV)
if said == "fall":
    os.kill(os.getpid(), signal.SIGSEGV)
if said == "fail":
    raise ValueError("odd")
if said == "refuse":
    raise Refused("pdf_refused", "no such address", reason="address")
if said == "connect":
    socket.create_connection(("192.0.2.1", 80), 1)
if said == "start":
    subprocess.run(["true"])
if said == "litter":
    (folder / "left").write_text("behind")
    return str(folder).encode()
if said == "look":
    return "".join(path.name for path in folder.iterdir()).encode()
if said == "secrets":
    return "|".join(name for name in os.environ if name.startswith(("SFA_", "AWS_", "PG"))).encode()
return f"{os.getpid()} {said}".encode()
""")
