"""Targets and what became of them: quotas set, spread, approved and challenged; attainment with its explanation, pace,
closed periods (docs/quotas.md, docs/attainment.md)."""
