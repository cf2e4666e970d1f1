"""A made-up company of any size: the same arguments make the same rows, byte for byte.

`places` and `words` are what exists, `company` makes people, trees, catalogue and quotas, `customers`, `visits` and
`deals` what happened with each customer, and `write` takes it all through the one door in large batches.
"""
