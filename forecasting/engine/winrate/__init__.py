"""Chances of a deal: won, lost or still open by when, learnt from the company's own past (docs/outlook.md)."""

from forecasting.engine.winrate.fitting import fit
from forecasting.engine.winrate.model import Model, NotComputable, from_bytes, to_bytes
from forecasting.engine.winrate.reasons import Reason, Similar, reasons, similar
from forecasting.engine.winrate.saying import chances

__all__ = [
    "Model",
    "NotComputable",
    "Reason",
    "Similar",
    "chances",
    "fit",
    "from_bytes",
    "reasons",
    "similar",
    "to_bytes",
]
