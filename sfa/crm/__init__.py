"""Customers and the work with them: the use cases that online routes, imports and the sync share."""
