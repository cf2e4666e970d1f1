"""A day's route: which visit after which, when, and what does not fit."""
