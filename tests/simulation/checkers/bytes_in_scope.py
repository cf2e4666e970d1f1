"""Bytes go where their row goes (S13): who sees an attachment gets its content, whole, and nobody else gets anything.

Asked for by everybody in peace, and at any moment of a seed by somebody.
"""

from tests.simulation.attaching import Attaching
from tests.simulation.company import PEOPLE
from tests.simulation.failure import Failed


def check(attaching: Attaching) -> None:
    if not attaching.is_on:
        return
    for user in PEOPLE:
        attaching.look(user, sorted(attaching.made))
    for said in attaching.downloads:
        raise Failed("bytes_in_scope", said)
