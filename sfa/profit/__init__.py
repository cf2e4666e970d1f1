"""What deals, customers and habits earn: every figure a sum of facts, each with its source row (R36 to R45)."""
