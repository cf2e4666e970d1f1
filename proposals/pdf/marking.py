"""What the finished PDF says of itself: that it is PDF/A-3a and PDF/UA-1 at once, with its title shown.

The engine writes one of the two standards; here the other is added to the metadata, with the description of its schema
that PDF/A asks for. A file that is sealed later gets the field for it here, where it can be tagged: PDF/UA wants it in
the structure as a form with words, and sealing then adds a signature and changes nothing else.
"""

import re
from collections.abc import Callable
from functools import partial
from importlib import import_module
from typing import Any

from proposals.pdf.values import SEAL
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
PRINTED_AND_LOCKED = 4 + 128  # of an annotation
SIGNED_ONLY = 1 + 2  # there is a signature, and nothing but additions may be made

FILES = frozenset(("/OpenType", "/CIDFontType0C", "/Image", "/XML", "/EmbeddedFile", "/Metadata"))
FAR = re.compile(rb"(?:^|[\s\[])[-+]?\d{9,}")  # beyond it PDF/A knows no numbers


def finisher(seal: str = "") -> Callable[[Any, Any], None]:
    """The engine's; `seal` are the words of the field that is sealed later."""
    return partial(_finish, seal)


def _finish(seal: str, _document: Any, pdf: Any) -> None:
    """`pdf` is changed in place, right before it is written. Refuses `pdf_refused` for what
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
    if seal:
        _add_field(pdf, seal)


def _add_field(pdf: Any, words: str) -> None:
    """An empty signature field on the last page, of no size, as the last element of the document's structure."""
    pydyf = import_module("pydyf")
    known = {written.reference: written for written in pdf.objects if isinstance(written, pydyf.Dictionary)}
    root = known[pdf.catalog["StructTreeRoot"]]
    numbers, whole = known[root["ParentTree"]]["Nums"], known[root["K"][0]]
    last = pdf.page_references[-1]
    number = max(numbers[::2]) + 1
    shown = {"Type": "/Annot", "Subtype": "/Widget", "F": PRINTED_AND_LOCKED, "Rect": pydyf.Array([0, 0, 0, 0])}
    named = {"FT": "/Sig", "T": pydyf.String(SEAL), "TU": pydyf.String(words)}
    field = pydyf.Dictionary({**shown, **named, "P": last, "StructParent": number})
    pdf.add_object(field)
    reference = pydyf.Dictionary({"Type": "/OBJR", "Obj": field.reference, "Pg": last})
    tag = {"Type": "/StructElem", "S": "/Form", "P": whole.reference, "Pg": last, "Alt": pydyf.String(words)}
    element = pydyf.Dictionary({**tag, "K": pydyf.Array([reference])})
    pdf.add_object(element)
    whole["K"].append(element.reference)
    numbers.extend([number, element.reference])
    page = known[last]
    page.setdefault("Annots", pydyf.Array([])).append(field.reference)
    page["Tabs"] = "/S"
    pdf.catalog["AcroForm"] = pydyf.Dictionary({"Fields": pydyf.Array([field.reference]), "SigFlags": SIGNED_ONLY})


def _is_file(written: Any) -> bool:
    """Whether an object is not drawn but holds a file: a font, a picture, what is embedded, metadata."""
    extra = getattr(written, "extra", {})
    return "Length1" in extra or extra.get("Subtype") in FILES or extra.get("Type") in FILES or "N" in extra
