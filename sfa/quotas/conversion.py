"""Money of any currency in a quota's: what `sfa.core.exchange` does, under the name by which figures know it."""

from sfa.core.exchange import Applied, Exchange, Missing

__all__ = ["Applied", "Exchange", "Missing"]
