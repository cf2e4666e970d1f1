"""Every entity by REST: `listing` pages, `changes` writes, `repeats` answers what was asked before, `routes` addresses.

Nothing here knows an entity by name: an entity of the register, a transition and a command appear by themselves. A
route that a slice has of its own takes the place of the general one. Rules, rights and rows are those of the sync
(R53): `sfa.crm.edits`, `sfa.core.rules` and the commands do the work, in one transaction each.
"""
