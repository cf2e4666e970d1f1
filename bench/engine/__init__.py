"""How good the forecast engine is, on public data and on companies whose truth is known (docs/outlook.md)."""
