"""The page that a buyer opens: what it shows, in words, as HTML; what browsers send; what stands in the way."""
