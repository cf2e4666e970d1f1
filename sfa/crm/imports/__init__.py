"""Files become rows, in three steps: `table` reads CSV with the fault of every line, a contract such as `opportunities`
makes typed records of the lines and `plan` rows of the records (pure), and `load` rehearses the plan against the
database and then writes it through the one door (docs/import.md)."""
