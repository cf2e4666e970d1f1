"""What was sent, with the options that the buyer takes: the same document, priced again by the server (pure).

Prices, discounts and terms are those of the offer that was kept with the version; a browser says which lines and
quantities, and never an amount (R50).
"""

from msgspec import structs

from proposals.document import Document
from sfa.core.errors import Refused
from sfa.core.pricing import price
from sfa.core.pricing.choosing import Choices, choose
from sfa.core.pricing.values import Offer


def chosen(document: Document, offer: Offer | None, choices: Choices) -> Document:
    """Refuses `choice_invalid`. Without an offer (it was sent before offers were kept) it stays as it was sent."""
    if offer is None:
        return document
    taken = choose(offer, choices)
    try:
        return structs.replace(document, priced=price(taken))
    except Refused as refused:
        if refused.code != "offer_invalid" or choices == Choices():
            raise
        # As it was sent it could be priced: what is too much, or too little, is what was chosen.
        raise Refused("choice_invalid", f"with these choices {refused.text}", reason="amounts", line=None) from None
