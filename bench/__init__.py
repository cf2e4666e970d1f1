"""What the server costs, measured on both databases: `python -m bench` (docs/performance.md explains the figures).

Promises: one run measures the floors and the product side by side, so that ratios hold on a shared machine; nothing is
asserted. `company` makes the data, `server` the process that is measured, `client` the wire, `subjects` the measures.
"""
