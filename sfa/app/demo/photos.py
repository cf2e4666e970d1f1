"""The demo's photo: taken without signal, sent over a connection that dies every 500 kB, seen by everybody."""

from pathlib import Path

import httpx
from PIL import Image

from sfa.app.demo.story import Day
from sync.device import ConnectionLost

DIES_EVERY_BYTES = 500_000
TRIES_MAX = 60
TIMEOUT_S = 30.0
PIXELS = (2_400, 1_800)


def send_a_photo(day: Day, folder: Path, server: str, customer: str) -> None:
    ana, eva = day.ana, day.eva
    day.title(f"{ana.name} photographs a factory without signal; then the connection dies every 500 kB")
    taken = folder / "factory.jpg"
    Image.effect_noise(PIXELS, 90).convert("RGB").save(taken, "JPEG", quality=90)
    content = taken.read_bytes()
    made: list[str] = []
    day.without_signal(ana, lambda: made.append(ana.device.attach("accounts", customer, taken, {"kind": "photo"})))
    taken.unlink()
    day.sync(ana)
    day.sync(eva)
    row = eva.device.get("attachments", made[0]) or {}
    day.check(f"{eva.name} sees that a photo of {len(content):,} bytes is on its way", row.get("stored") is False)
    ana.signal.die_every(DIES_EVERY_BYTES)
    for _ in range(TRIES_MAX):
        try:
            sent = list(ana.device.upload())
        except ConnectionLost:
            continue
        day.check(f"it arrived over {ana.signal.cuts} cuts", [s.is_sent for s in sent] == [True] and ana.signal.cuts)
        break
    ana.signal.die_every(0)
    day.sync(eva)
    row = eva.device.get("attachments", made[0]) or {}
    day.check(f"{eva.name}'s phone is told that it is there", row.get("stored") is True)
    token = eva.device.store.state().access_token
    answer = httpx.get(f"{server}/files/{made[0]}", headers={"Authorization": f"Bearer {token}"}, timeout=TIMEOUT_S)
    day.check("and fetches it, byte by byte the same", answer.content == content)
    day.sync(ana)
    list(ana.device.upload())
    day.check(f"{ana.name}'s phone has let its copy go", not ana.device.files())
