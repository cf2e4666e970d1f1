"""What a deal says beyond its row: where it stands, what it lacks, who shares it, whether it needs a look; and what a
customer does not buy yet.

`figures` and `standing` are pure; `state`, `review` and `whitespace` ask in sets, as far as the caller sees. The
commands that move a deal are `sfa.core.deal_states`.
"""
