"""What will be sold: roll-ups, overrides and what follows from them (docs/forecast.md).

Pure rules first (`facts`, `ledger`, `spots`, `rollup`, `tree`), then what reads, keeps and answers. Reads what the
sales core knows, and never imports `sync` or `proposals`.
"""
