"""What is offered to a prospect: the room for pricing, the proposal's life, its document, signature and delivery.

Planned here: pricing, lifecycle and document as pure rules; render (value in, bytes out, in a child process), which is
where a PDF is made; templates, signing, delivery, service, store, routes and the prospect's page around them. It never
imports `sync` or `forecasting`.
"""
