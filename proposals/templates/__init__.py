"""From a document to the HTML that is printed and previewed (pure: values in, text out; nothing is fetched here).

`html.html_of` makes it, `gaps.missing` lists beforehand what stands in the way, `template` has the built-in templates
and what a company may add to them. `sheet` is what templates see: every amount, day and share already written as it is
read in the document's language, so that print and screen cannot differ. `rich` prints what people wrote, `guard` and
`styles` refuse what a company's template or CSS may not do, `faces` names the fonts, `words` the catalogues.
"""
