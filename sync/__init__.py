"""The offline round: a device sends what it queued, the server answers receipts and what changed in its user's scope.

`routes` reads one request; `push` takes its mutations exactly once (number, rights, `merge`, the door) and `pull` reads
one page of the feed under an authenticated `cursor`. `policy` says as data which strategy settles which conflict;
`protocol` is the wire. `device` is the reference device, the part that a mobile team ports. The rules are numbered in
docs/sync-protocol.md, and the tests name the rule they prove. Rooms that later stages fill: notes as CRDT documents,
digest, live, watermelon, rxdb.
"""
