"""What is offered to a customer: the life of a proposal, its document, templates, approval, number and PDF.

Pricing is in `sfa.core.pricing`, for devices too. Planned here: the prospect's side, with delivery, signing and what a
buyer makes of a version. It never imports `sync` or `forecasting`.
"""
