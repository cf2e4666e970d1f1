"""What a series of equal steps goes on to be: `forecast_series` of one, `forecast_many` of a company's (docs/outlook.md).

`seasons` what repeats, `kinds` what sort of series it is and which of its values count, `simple` rules for the short and
the intermittent, `models` the four statistical models, `scores` how wrong the past was, `forecasting` puts them together.
"""
