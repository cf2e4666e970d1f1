"""What will be sold: the room for roll-ups, movement between periods, win rates, simulation and reconciliation.

Planned here: rollup, movement, winrate, simulate, series and reconcile as pure rules; snapshots, service, store and
routes around them. Forecasting reads what the sales core knows and never imports `sync` or `proposals`.
"""
