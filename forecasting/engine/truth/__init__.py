"""Companies whose truth is known: how they sell, a history that follows from it, and what nobody could know better.

`company` draws one from a seed, `growth.grow` lives its history, `oracle` says the true chances of open deals and the
true distribution of a period's revenue, `people` what its people call. Engines are judged beside it.
"""
