"""What an acceptance, a certificate, a seal and the page that verifies them say, in each language of a document.

English texts are the keys. They are no words of templates: a company's template cannot say them, and they do not decide
how a proposal looks.
"""

from collections.abc import Callable

from markupsafe import Markup, escape

from proposals.templates.formats import LOCALES

Say = Callable[..., str]
WORDS: dict[str, tuple[str, str]] = {
    # -- acceptance and certificate --
    "Acceptance": ("Aceptación", "Aceite"),
    "Certificate of acceptance": ("Certificado de aceptación", "Certificado de aceite"),
    "%(buyer)s accepted offer %(number)s, version %(version)s, on %(at)s.": (
        "%(buyer)s aceptó la oferta %(number)s, versión %(version)s, el %(at)s.",
        "%(buyer)s aceitou a proposta %(number)s, versão %(version)s, em %(at)s.",
    ),
    "Accepted total": ("Total aceptado", "Total aceito"),
    "Offer": ("Oferta", "Proposta"),
    "Version": ("Versión", "Versão"),
    "Offered by": ("Ofrecida por", "Oferecida por"),
    "Accepted by": ("Aceptada por", "Aceita por"),
    "Signature": ("Firma", "Assinatura"),
    "Signature %(n)s of %(all)s": ("Firma %(n)s de %(all)s", "Assinatura %(n)s de %(all)s"),
    "Drawn signature of %(name)s": ("Firma manuscrita de %(name)s", "Assinatura desenhada de %(name)s"),
    "Name": ("Nombre", "Nome"),
    "Link": ("Enlace", "Link"),
    "handed over by %(seller)s": ("entregado por %(seller)s", "entregue por %(seller)s"),
    "mailed to %(address)s": ("enviado a %(address)s", "enviado a %(address)s"),
    "Signed on": ("Firmado el", "Assinado em"),
    "How": ("Cómo", "Como"),
    "by typing the name": ("escribiendo el nombre", "digitando o nome"),
    "by drawing the signature": ("dibujando la firma", "desenhando a assinatura"),
    "Address": ("Dirección IP", "Endereço IP"),
    "Browser": ("Navegador", "Navegador"),
    "not known": ("desconocida", "desconhecido"),
    "Agreed to": ("Se aceptó", "Concordou com"),
    "This file carries the data of the acceptance (accepted.json) and an electronic seal of %(seller)s. Any later "
    "change breaks the seal.": (
        "Este archivo contiene los datos de la aceptación (accepted.json) y un sello electrónico de %(seller)s. "
        "Cualquier cambio posterior rompe el sello.",
        "Este arquivo contém os dados do aceite (accepted.json) e um selo eletrônico de %(seller)s. Qualquer "
        "alteração posterior rompe o selo.",
    ),
    "Anybody can check it at %(address)s": (
        "Cualquiera puede comprobarlo en %(address)s",
        "Qualquer pessoa pode verificá-lo em %(address)s",
    ),
    "Digests (SHA-256)": ("Huellas digitales (SHA-256)", "Resumos criptográficos (SHA-256)"),
    "What": ("Qué", "O quê"),
    "SHA-256": ("SHA-256", "SHA-256"),
    "Offer as it was sent (document.json)": (
        "Oferta tal como se envió (document.json)",
        "Proposta como foi enviada (document.json)",
    ),
    "Offer as a PDF, as it was sent (original.pdf)": (
        "Oferta en PDF, tal como se envió (original.pdf)",
        "Proposta em PDF, como foi enviada (original.pdf)",
    ),
    "Offer with the options that were chosen": (
        "Oferta con las opciones elegidas",
        "Proposta com as opções escolhidas",
    ),
    "Acceptance as data (accepted.json)": (
        "Aceptación como datos (accepted.json)",
        "Aceite como dados (accepted.json)",
    ),
    "Final PDF with its seal (final.pdf)": (
        "PDF final con su sello (final.pdf)",
        "PDF final com seu selo (final.pdf)",
    ),
    "Certificate of the sealing key": ("Certificado de la clave del sello", "Certificado da chave do selo"),
    "Text that was agreed to": ("Texto que se aceptó", "Texto com o qual se concordou"),
    "Drawn signature (PNG)": ("Firma dibujada (PNG)", "Assinatura desenhada (PNG)"),
    "What happened": ("Qué ocurrió", "O que aconteceu"),
    "Every event names the one before it by its digest; times are of %(zone)s.": (
        "Cada suceso nombra al anterior por su huella digital; las horas son de %(zone)s.",
        "Cada evento nomeia o anterior por seu resumo criptográfico; os horários são de %(zone)s.",
    ),
    "Of %(all)s events the first and the last are shown; all of them are in evidence.json.": (
        "De %(all)s sucesos se muestran los primeros y los últimos; todos están en evidence.json.",
        "De %(all)s eventos são mostrados os primeiros e os últimos; todos estão em evidence.json.",
    ),
    "No.": ("N.º", "N.º"),
    "When": ("Cuándo", "Quando"),
    "Who and where from": ("Quién y desde dónde", "Quem e de onde"),
    "How to check this without us": ("Cómo comprobarlo sin nosotros", "Como verificar sem nós"),
    "Open the files that are embedded in the PDFs: final.pdf has accepted.json, this certificate has evidence.json, "
    "the original has proposal.json, which is document.json.": (
        "Abra los archivos incrustados en los PDF: final.pdf contiene accepted.json, este certificado evidence.json y "
        "el original proposal.json, que es document.json.",
        "Abra os arquivos incorporados nos PDFs: final.pdf contém accepted.json, este certificado contém "
        "evidence.json e o original contém proposal.json, que é document.json.",
    ),
    "Run sha256sum on them and on final.pdf: it prints the digests above.": (
        "Ejecute sha256sum con ellos y con final.pdf: muestra las huellas digitales de arriba.",
        "Execute sha256sum neles e em final.pdf: ele mostra os resumos acima.",
    ),
    "In accepted.json, the text named document is the offer with the options that were chosen, and consent is the text "
    "that was agreed to.": (
        "En accepted.json, el texto document es la oferta con las opciones elegidas y consent es el texto que se "
        "aceptó.",
        "Em accepted.json, o texto document é a proposta com as opções escolhidas e consent é o texto com o qual se "
        "concordou.",
    ),
    "Any program that verifies signatures of PDFs shows the seal and by which certificate it was made.": (
        "Cualquier programa que verifique firmas de PDF muestra el sello y con qué certificado se hizo.",
        "Qualquer programa que verifique assinaturas de PDF mostra o selo e com qual certificado foi feito.",
    ),
    "Seal of %(seller)s": ("Sello de %(seller)s", "Selo de %(seller)s"),
    "Acceptance of offer %(number)s": ("Aceptación de la oferta %(number)s", "Aceite da proposta %(number)s"),
    "Certificate of offer %(number)s": ("Certificado de la oferta %(number)s", "Certificado da proposta %(number)s"),
    "signed": ("firmada", "assinada"),
    "certificate": ("certificado", "certificado"),
    # -- what happened --
    "Offer sent": ("Oferta enviada", "Proposta enviada"),
    "Link mailed": ("Enlace enviado por correo", "Link enviado por e-mail"),
    "Mail came back": ("Correo devuelto", "E-mail devolvido"),
    "Offer opened": ("Oferta abierta", "Proposta aberta"),
    "PDF downloaded": ("PDF descargado", "PDF baixado"),
    "Question asked": ("Pregunta hecha", "Pergunta feita"),
    "Question answered": ("Pregunta respondida", "Pergunta respondida"),
    "Signed": ("Firmada", "Assinada"),
    "Accepted": ("Aceptada", "Aceita"),
    "Declined": ("Rechazada", "Recusada"),
    "Expired": ("Vencida", "Vencida"),
    "Withdrawn": ("Retirada", "Retirada"),
    "Superseded by a newer version": ("Sustituida por una versión nueva", "Substituída por uma versão mais nova"),
    "Final PDF sealed": ("PDF final sellado", "PDF final selado"),
    "Link made": ("Enlace creado", "Link criado"),
    "Link revoked": ("Enlace revocado", "Link revogado"),
    "Reminders stopped": ("Recordatorios cancelados", "Lembretes cancelados"),
    "Signers changed": ("Firmantes modificados", "Signatários alterados"),
    # -- the page that verifies --
    "Check a document": ("Comprobar un documento", "Verificar um documento"),
    "Choose a signed offer or its certificate (PDF). It is checked and not kept.": (
        "Elija una oferta firmada o su certificado (PDF). Se comprueba y no se guarda.",
        "Escolha uma proposta assinada ou seu certificado (PDF). Ele é verificado e não fica guardado.",
    ),
    "PDF file, at most 20 MB": ("Archivo PDF, 20 MB como máximo", "Arquivo PDF, no máximo 20 MB"),
    "Check": ("Comprobar", "Verificar"),
    "Check another document": ("Comprobar otro documento", "Verificar outro documento"),
    "Genuine and unchanged": ("Auténtico y sin cambios", "Autêntico e sem alterações"),
    "This is byte by byte a file that was sealed here.": (
        "Es, byte a byte, un archivo sellado aquí.",
        "É, byte a byte, um arquivo selado aqui.",
    ),
    "This is byte by byte the offer as it was sent, before it was accepted. It has no seal.": (
        "Es, byte a byte, la oferta tal como se envió, antes de aceptarse. No lleva sello.",
        "É, byte a byte, a proposta como foi enviada, antes de ser aceita. Ela não tem selo.",
    ),
    "Known": ("Conocido", "Conhecido"),
    "A document with this SHA-256 was sealed here.": (
        "Aquí se selló un documento con este SHA-256.",
        "Um documento com este SHA-256 foi selado aqui.",
    ),
    "Sealed by us, but not on our list": (
        "Sellado por nosotros, pero no está en nuestra lista",
        "Selado por nós, mas não está em nossa lista",
    ),
    "The seal is of our key and whole, but this server does not know the file. Ask whoever sent it to you.": (
        "El sello es de nuestra clave y está intacto, pero este servidor no conoce el archivo. Pregunte a quien se lo "
        "envió.",
        "O selo é da nossa chave e está intacto, mas este servidor não conhece o arquivo. Pergunte a quem o enviou.",
    ),
    "Changed after it was sealed": ("Cambiado después de sellarse", "Alterado depois de selado"),
    "The seal is of our key, and what it covers is not what was sealed. Do not rely on this file.": (
        "El sello es de nuestra clave, pero el contenido no es el que se selló. No se fíe de este archivo.",
        "O selo é da nossa chave, mas o conteúdo não é o que foi selado. Não confie neste arquivo.",
    ),
    "Not sealed by us": ("No está sellado por nosotros", "Não foi selado por nós"),
    "The file has a seal or signature of somebody else's key, whatever name it says. We know nothing of it.": (
        "El archivo lleva un sello o una firma de la clave de otro, diga el nombre que diga. No lo conocemos.",
        "O arquivo tem um selo ou assinatura da chave de outra pessoa, seja qual for o nome. Não o conhecemos.",
    ),
    "The file has no seal, and we do not know it.": (
        "El archivo no lleva sello y no lo conocemos.",
        "O arquivo não tem selo e não o conhecemos.",
    ),
    "Not known": ("Desconocido", "Desconhecido"),
    "No document with this SHA-256 was sealed here.": (
        "Aquí no se selló ningún documento con este SHA-256.",
        "Nenhum documento com este SHA-256 foi selado aqui.",
    ),
    "This cannot be read": ("No se puede leer", "Não é possível ler"),
    "This is no PDF, or one that is damaged, encrypted or made to be hard to read.": (
        "No es un PDF, o está dañado, cifrado o hecho para que sea difícil de leer.",
        "Não é um PDF, ou está danificado, criptografado ou feito para ser difícil de ler.",
    ),
    "Choose a PDF file first.": ("Elija primero un archivo PDF.", "Escolha primeiro um arquivo PDF."),
    "The file is larger than 20 MB.": ("El archivo supera los 20 MB.", "O arquivo tem mais de 20 MB."),
    "Too many checks at once. Try again in a minute.": (
        "Demasiadas comprobaciones a la vez. Inténtelo de nuevo en un minuto.",
        "Verificações demais ao mesmo tempo. Tente novamente em um minuto.",
    ),
    "This is no SHA-256: it has 64 digits from 0 to 9 and a to f.": (
        "No es un SHA-256: tiene 64 dígitos de 0 a 9 y de a a f.",
        "Isto não é um SHA-256: ele tem 64 dígitos de 0 a 9 e de a a f.",
    ),
    "Kind": ("Tipo", "Tipo"),
    "signed offer": ("oferta firmada", "proposta assinada"),
    "certificate of acceptance": ("certificado de aceptación", "certificado de aceite"),
    "offer as it was sent": ("oferta tal como se envió", "proposta como foi enviada"),
    "Sealed by": ("Sellado por", "Selado por"),
    "Sealed on": ("Sellado el", "Selado em"),
    "according to the sealing server": ("según el servidor que selló", "segundo o servidor que selou"),
    "confirmed by a timestamp authority": (
        "confirmado por una autoridad de sellado de tiempo",
        "confirmado por uma autoridade de carimbo do tempo",
    ),
    "Key's certificate (SHA-256)": ("Certificado de la clave (SHA-256)", "Certificado da chave (SHA-256)"),
    "File (SHA-256)": ("Archivo (SHA-256)", "Arquivo (SHA-256)"),
    "Accepted on": ("Aceptada el", "Aceita em"),
}
_PLACES = {"es": 0, "pt-BR": 1}


def say_in(language: str) -> Say:
    """The text in the language, its named places filled; what is not known is said as it is, which a test forbids."""
    place = _PLACES.get(language)

    def say(text: str, **values: object) -> str:
        said = WORDS[text][place] if place is not None else text
        if any(isinstance(value, Markup) for value in values.values()):
            return escape(said) % values
        return said % values if values else said

    return say


def language_of(accepted: str | None) -> str:
    """Of a browser's `Accept-Language`: the first that we speak, or English."""
    wanted = []
    for place, part in enumerate((accepted or "")[:500].split(",")):
        name, _, weight = part.strip().partition(";")
        try:
            quality = float(weight.strip().removeprefix("q=") or "1")
        except ValueError:
            quality = 0.0
        wanted.append((-quality, place, name.strip().lower()))
    for quality, _, name in sorted(wanted):
        found = next((each for each in LOCALES if name.split("-")[0] == each.split("-")[0]), None)
        if found is not None and quality < 0:
            return found
    return "en"
