"""The demo: a company is made, two reps and their manager work for a day and close a quarter; every step is checked.

`stage` makes the company and runs the server, `phones` are reference devices whose signal can be taken away, `story` is
the day, `quarter` the quarter before,
`monday` the forecast of the week to come. A step whose outcome is not what it should be ends the demo with exit code 1.
"""
