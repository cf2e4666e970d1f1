"""The seeded simulation: production code under a virtual clock, a lossy network, crashes and moving scopes.

`run.run_seed(seed, worlds)` plays one seed and raises `Failed` with its trace; a seed replays. `world` holds the
company, its server and its phones; `network` and `crashes` do harm; `checkers` say what must hold; `faults` plants
mistakes that the checkers must find.
"""
