"""The only place that knows the schema: engine and transactions, tables, the one door for writes, feed and scope."""
