"""Pure rules and values: standard library and msgspec only."""
