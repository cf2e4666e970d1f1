"""What a buyer agrees to by signing, in the language of the document (pure).

The first sentence names what is signed and what it comes to, whatever a company says; what follows is the company's own
text where the document has one (`texts.<language>.consent` of its template, copied when it was sent), or the usual one.
The text is kept with each signature, and its digest says that it was the one that was shown.
"""

from hashlib import sha256

from msgspec import UNSET

from proposals.document import Document
from proposals.templates.formats import money

ACCEPT = {
    "en": "I accept offer {number}, version {version}, “{title}”, of {seller}, for a total of {total}.",
    "es": "Acepto la oferta {number}, versión {version}, «{title}», de {seller}, por un total de {total}.",
    "pt-BR": "Aceito a proposta {number}, versão {version}, “{title}”, de {seller}, no valor total de {total}.",
}
USUAL = {
    "en": "I have read it with its terms, I am entitled to accept it, and I agree to sign it electronically: "
    "my name as I give it here is my signature.",
    "es": "La he leído con sus condiciones, estoy facultado para aceptarla y consiento en firmarla electrónicamente: "
    "mi nombre, tal como lo indico aquí, es mi firma.",
    "pt-BR": "Li a proposta e as suas condições, tenho poderes para aceitá-la e concordo em assiná-la eletronicamente: "
    "o meu nome, como o informo aqui, é a minha assinatura.",
}


def consent_text(document: Document, total: str) -> str:
    """`total` is the amount as the document writes it, of what was chosen."""
    said = {"number": document.number or "", "version": document.version, "title": document.title}
    first = ACCEPT[document.language].format(**said, seller=document.seller.name, total=total)
    own = document.consent if document.consent is not UNSET else ""
    return f"{first} {own.strip() or USUAL[document.language]}"


def consent_of(document: Document) -> str:
    """What is agreed to of a document as it was chosen."""
    return consent_text(document, money(document.priced.total_minor, document.currency, document.language))


def digest_of(text: str) -> str:
    return sha256(text.encode()).hexdigest()
