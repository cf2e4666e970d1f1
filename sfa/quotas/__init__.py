"""Targets and what became of them: how a quota is set, spread, approved and challenged (docs/quotas.md)."""
