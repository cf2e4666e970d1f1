"""Every command that there is: those of the house, of its wings, and what is decided about handed-over work of all."""

from proposals.commands import COMMANDS as PROPOSAL_COMMANDS
from sync.decisions import joined

COMMANDS = joined(PROPOSAL_COMMANDS)
