"""What an offer comes to: lines, discounts, taxes, what is due when. Pure, for devices and the server (R33-R36).

`price(offer)` reckons, `choose(offer, choices)` makes the offer that the buyer wants of the one that he was made; both
take and give the values of `sfa.core.pricing.values`, and refuse what they cannot with stable codes.
"""

from sfa.core.pricing.choosing import Choices, choose
from sfa.core.pricing.reckoning import price

__all__ = ["Choices", "choose", "price"]
