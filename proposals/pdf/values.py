"""What a PDF has beside its pages: the JSON that goes with it, and a field that is sealed later."""

from typing import NamedTuple

SEAL = "Seal"  # the name of the field
PAGES_MAX = 300
PROOF_PAGES = 100  # those of an acceptance or a certificate come on top of the longest document


class Finishing(NamedTuple):
    """`name` and `description` are of the embedded JSON; `seal` says what the field is for, to who cannot see it, and
    is empty where there is none."""

    name: str = "proposal.json"
    description: str = "The proposal as data"
    seal: str = ""

    @property
    def pages_max(self) -> int:
        return PAGES_MAX + PROOF_PAGES if self.seal else PAGES_MAX


OFFER = Finishing()
