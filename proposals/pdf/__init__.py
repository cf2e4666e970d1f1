"""From HTML to the bytes of a PDF: archivable (PDF/A-3a), accessible (PDF/UA-1), the same in any process.

`printing` does it in the calling process and takes as long as it takes; who cannot trust the HTML asks
`proposals.rendering`, which does it in a process with limits. Nothing here is imported by a server that starts: the
engine needs Pango, a system library, and `engine` loads both only when something is printed.
"""
