"""A made-up company of any size: the same arguments make the same rows, byte for byte.

`places` and `words` are what exists, `company` makes people, trees, catalogue and quotas, `customers`, `visits` and
`deals` what happened with each customer, `costs` what it took. `making` lets the door settle them in large batches, in
a process of its own, and `write` writes all of it in one transaction.
"""
