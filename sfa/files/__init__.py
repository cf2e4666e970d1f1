"""Files: uploads that survive any cut, contents that are kept once, downloads in the scope of the row they hang on.

An `attachments` row says what a file is and syncs before its bytes; the bytes come by tus 1.0 under `/files/uploads`,
for an attachment that is named and with the SHA-256 that is declared. `arrivals` brings the two together in whichever
order they come. This storey knows the database and the web, and nothing of the work with customers.
"""
