"""Quotas and the figures that answer them: targets, attainment with its explanation, pace, closed periods."""
