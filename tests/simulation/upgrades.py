"""Which version every phone's app speaks and which ones the server serves; both only go up (S32).

Model phones may begin with the version that there never was (`tests.older_contract`), reference phones with version 1.
Apps are upgraded now and then, with whatever they hold and have queued; at times the operator stops serving a version,
or even taking its queue, and then those apps must be upgraded. Some seeds are such, by dice of their own; all others
play as if there were one version.
"""

import random
from collections.abc import Callable, Sequence

from sync.protocol import CONTRACT_MAX
from sync.versions import Versions
from tests.older_contract import CHANGES_FROM_0, DESCRIBED_FROM_0
from tests.simulation.phones import ModelPhone, Phone
from tests.simulation.server import Server

MIXED = 0.4  # of the seeds


class Upgrades:
    def __init__(self, seed: int, server: Server, log: Callable[[str], None]) -> None:
        self._rng, self._server, self._log = random.Random(f"versions of {seed}"), server, log
        self._is_mixed = self._rng.random() < MIXED

    def begin(self, phone: Phone) -> None:
        """Half of the phones have the newest app; the reference device knows no version 0."""
        if self._is_mixed:
            if self._rng.random() < 0.5:
                phone.speak(self._rng.choice((0, 0, 1)) if isinstance(phone, ModelPhone) else 1)
            self._log(f"{phone.key} speaks version {phone.contract}")

    def step(self, phones: Sequence[Phone]) -> None:
        if not self._is_mixed:
            return
        if self._rng.random() < 0.06:
            self._upgrade(self._rng.choice(phones))
        if self._rng.random() < 0.03:
            self._raise_minimum()
        for phone in phones:
            if phone.must_upgrade and self._rng.random() < 0.3:
                self._upgrade(phone)

    def finish(self, phones: Sequence[Phone]) -> None:
        """Who was told to upgrade does so in the end."""
        for phone in phones:
            if phone.must_upgrade and not phone.over:
                self._upgrade(phone)

    def _upgrade(self, phone: Phone) -> None:
        least = max(phone.contract, self._server.versions.minimum)
        phone.speak(self._rng.randint(least, CONTRACT_MAX))
        phone.must_upgrade = False
        self._log(f"{phone.key} has an app of version {phone.contract} now, {phone.pending()} queued")

    def _raise_minimum(self) -> None:
        served = self._server.versions
        minimum = self._rng.randint(served.minimum, CONTRACT_MAX)
        push_minimum = self._rng.randint(served.push_minimum, minimum)
        self._server.versions = Versions(DESCRIBED_FROM_0, CHANGES_FROM_0, minimum, push_minimum)
        self._server.restart()
        self._log(f"server: pages from version {minimum}, pushes from version {push_minimum}")
