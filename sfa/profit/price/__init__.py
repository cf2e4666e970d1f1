"""What a price may be, and what another one would do."""
