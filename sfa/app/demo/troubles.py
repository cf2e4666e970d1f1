"""The demo's harder hours: one note by two hands, one customer entered twice, a phone that never comes back."""

from functools import partial

import httpx

from sfa.app.demo.phones import Phone
from sfa.app.demo.story import Day
from sfa.core.clock import SystemClock
from sfa.crm import finder

START = "Visita às dez. 東京支店へ行く。 👩‍👩‍👧"
TIMEOUT_S = 30.0


def write_one_note(day: Day, customer: str) -> None:
    """Two people write in one note without signal, twice each, in three scripts."""
    ana, ben = day.ana, day.ben
    day.title(f"{ana.name} and {ben.name} write in one note without signal, twice each, in three scripts")
    note = ana.device.create("notes", {"account_key": customer, "author_key": ana.user_key, "body": START})
    day.sync(ana)
    day.sync(ben)
    texts = {
        ana.name: (f"Olá! {START}", "Olá! Visita às dez horas. 東京支店へ行く。 👩‍👩‍👧 🇵🇹"),
        ben.name: (f"{START} Levar amostras.", "Visita às dez. 明日東京支店へ行く。 👩‍👩‍👧 Levar amostras. 🎉"),
    }
    for phone in (ana, ben):
        for text in texts[phone.name]:
            day.without_signal(phone, partial(phone.device.update, "notes", note, {"body": text}))
    for phone in (ana, ben, ana):
        day.sync(phone)
    text = str((ana.device.get("notes", note) or {})["body"])
    day.tell(text)
    day.check("both phones show the same text", (ben.device.get("notes", note) or {})["body"] == text)
    words = ("Olá!", "horas", "明日東京支店へ行く", "👩‍👩‍👧", "🇵🇹", "Levar amostras", "🎉")
    day.check("every word of both is there once", [text.count(word) for word in words] == [1] * len(words))


def enter_a_customer_twice(day: Day, customer: str) -> None:
    """A rep enters a contact that is there; the finder notices, the manager merges, work on the lost key lands."""
    ana, eva = day.ana, day.eva
    day.title(f"{ana.name} enters a contact that is there already; the finder notices, {eva.name} merges")
    known, row = next(iter(sorted(ana.device.list("contacts", {"account_key": customer}).items())))
    twin = ana.device.create("contacts", {"account_key": customer, "name": row["name"].upper(), "phone": row["phone"]})
    day.sync(ana)
    clock = SystemClock()
    while day.database.write(finder.find, clock.now_ms()) != (0, 0):  # the server's job of every 15 seconds
        pass
    day.sync(eva)
    found = [k for k, s in eva.device.list("suggestions", {"status": "open"}).items() if twin in s.values()]
    day.check(f"it suggests that the two are one, to {eva.name} as well", len(found) == 1)
    ana.device.update("contacts", twin, {"title": "Director of purchasing"})
    eva.device.command("suggestion.accept", found[0])
    day.sync(eva)
    result = day.sync(ana)
    day.check(f"what {ana.name} wrote on the lost one meanwhile was not refused", not result.refused)
    left = (ana.device.get("contacts", known) or {}).get("title")
    gone = ana.device.get("contacts", twin) is None
    day.check("it stands on the one that is left", gone and left == "Director of purchasing")


def lose_a_phone(day: Day, spare: Phone, server: str, customer: str) -> None:
    """A phone of somebody who left is revoked: what it still had comes in, is looked at and applied."""
    ben, eva = day.ben, day.eva
    day.title(f"{ben.name}'s second phone is revoked with work on it: the work comes in, the phone erases")
    spare.device.login(spare.email, day.password, name=f"{ben.name}'s old phone", platform="demo")
    spare.device.sync()
    spare.device.create("contacts", {"account_key": customer, "name": "Itziar Agirre"})
    key = spare.device.store.state().device_key
    with httpx.Client(base_url=server, timeout=TIMEOUT_S) as web:
        device = {"name": "console", "platform": "demo", "app_version": "1"}
        login = {"email": eva.email, "password": day.password, "device": device}
        web.headers["Authorization"] = f"Bearer {web.post('/auth/login', json=login).json()['access_token']}"
        web.post(f"/api/devices/{key}/revoke").raise_for_status()
        day.refused(spare)
        day.check("nothing is left on it", not spare.device.synced_rows() and not spare.device.kept())
        (drain,) = web.get(f"/api/devices/{key}/quarantine").json()["drains"]
        day.check(f"{eva.name} finds its change, which nobody has applied", drain["waiting"] == drain["size"] == 1)
        where = f"/api/devices/{key}/quarantine/{drain['drain']}"
        web.post(where, json={"decision": "apply"}).raise_for_status()
    day.sync(eva)
    contacts = eva.device.list("contacts", {"account_key": customer, "name": "Itziar Agirre"})
    day.check("applied, it stands in the author's name", [r["created_by"] for r in contacts.values()] == [ben.user_key])
