"""What the past says of the quarter: chances, ranges, series, and how often they were right (docs/outlook.md).

Pure: arrays in, arrays out; no database, no clock, no process. Imported only where it works, in the forecasting worker,
in tests and in `bench.engine`: it needs NumPy and SciPy, and a part of it `statsforecast`, which are slow to import.
"""
