"""Printing apart from the server: processes with limits, the queue of what they print, and where the bytes go.

`press` has the processes, each a `worker` that runs `process`; `queue` keeps what is asked, `running` takes from it and
`keeping` stores what came of it. `pictures` takes logos and pictures in. Values go into a process and bytes come out:
it knows no database and no network.
"""
