"""Ranges for the quarter, made now and then by a process of its own and served until the next are made
(docs/outlook.md).

`values` is what a run is asked and answers; `reading` asks the database, `work` asks the engine, `process` is where
that happens, `running` supervises it, `store` keeps what came of it, `service` and `routes` tell it.
"""
