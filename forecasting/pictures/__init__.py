"""Forecasts as pictures: `values` what is drawn, `shown` its numbers and words, `bars`, `bridges` and `accuracies` as
Vega-Lite specifications (pure; Altair), `drawing` makes files of them in a process of its own, behind `studio`."""
