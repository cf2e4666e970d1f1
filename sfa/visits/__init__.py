"""Visits beyond one row: plans that repeat, who is open where, corrections, signals, cadence, the way there, the feed
of a calendar. The states of a visit are in `sfa.core.visit_states`, its judgement in `sfa.core.geofence`."""
