"""Targets, what was reached of them and why, and closed periods."""
