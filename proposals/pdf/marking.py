"""What the finished PDF says of itself: that it is PDF/A-3a and PDF/UA-1 at once, with its title shown.

The engine writes one of the two standards; here the other is added to the metadata, with the description of its schema
that PDF/A asks for.
"""

import re
from typing import Any

from sfa.core.errors import Refused

UA = b"""<rdf:Description rdf:about="" xmlns:pdfuaid="http://www.aiim.org/pdfua/ns/id/"><pdfuaid:part>1</pdfuaid:part>\
</rdf:Description><rdf:Description rdf:about="" xmlns:pdfaExtension="http://www.aiim.org/pdfa/ns/extension/" \
xmlns:pdfaSchema="http://www.aiim.org/pdfa/ns/schema#" xmlns:pdfaProperty="http://www.aiim.org/pdfa/ns/property#">\
<pdfaExtension:schemas><rdf:Bag><rdf:li rdf:parseType="Resource">\
<pdfaSchema:schema>PDF/UA identification schema</pdfaSchema:schema>\
<pdfaSchema:namespaceURI>http://www.aiim.org/pdfua/ns/id/</pdfaSchema:namespaceURI>\
<pdfaSchema:prefix>pdfuaid</pdfaSchema:prefix><pdfaSchema:property><rdf:Seq><rdf:li rdf:parseType="Resource">\
<pdfaProperty:name>part</pdfaProperty:name><pdfaProperty:valueType>Integer</pdfaProperty:valueType>\
<pdfaProperty:category>internal</pdfaProperty:category>\
<pdfaProperty:description>Part of PDF/UA that the file conforms to</pdfaProperty:description>\
</rdf:li></rdf:Seq></pdfaSchema:property></rdf:li></rdf:Bag></pdfaExtension:schemas></rdf:Description>"""
END = b"</rdf:RDF>"


FILES = frozenset(("/OpenType", "/CIDFontType0C", "/Image", "/XML", "/EmbeddedFile", "/Metadata"))
FAR = re.compile(rb"(?:^|[\s\[])[-+]?\d{9,}")  # beyond it PDF/A knows no numbers


def finish(_document: Any, pdf: Any) -> None:
    """The engine's `finisher`: `pdf` is changed in place, right before it is written. Refuses `pdf_refused` for what
    lies so far out that no number of PDF/A reaches it."""
    for written in pdf.objects:
        drawn = [piece for piece in getattr(written, "stream", ()) if isinstance(piece, bytes)]
        if not _is_file(written) and any(FAR.search(piece) for piece in drawn):
            raise Refused("pdf_refused", "something is drawn further out than a PDF can tell", reason="far")
        if getattr(written, "extra", {}).get("Type") == "/Metadata":
            head, end, tail = written.stream[0].rpartition(END)
            assert end, "the metadata has no RDF"
            written.stream[0] = head + UA + end + tail
    files = pdf.catalog["AF"]
    files[:] = list(dict.fromkeys(files))  # the engine names each file twice
    assert pdf.catalog["ViewerPreferences"]["DisplayDocTitle"] == "true"


def _is_file(written: Any) -> bool:
    """Whether an object is not drawn but holds a file: a font, a picture, what is embedded, metadata."""
    extra = getattr(written, "extra", {})
    return "Length1" in extra or extra.get("Subtype") in FILES or extra.get("Type") in FILES or "N" in extra
