"""What each kind of mail says, of the kept document and of little else (R50, pure).

The total is written by the document's own voice, so that mail, page and PDF say it alike, in whatever language the rest
of the mail is. Nothing is said of cost (R45), and nothing of the link in mails to the company's own people.
"""

from msgspec import Struct

from proposals.delivery import outbox
from proposals.delivery.letter import Block, Button, Facts, Letter, Quoted, Said, Small, bare
from proposals.delivery.words import mail_words
from proposals.document import Document
from proposals.templates import formats
from proposals.templates.voice import Voice
from proposals.templates.words import Say

SUBJECT_MAX = 160


class Told(Struct, frozen=True, kw_only=True):
    """All that a mail is made of. `to_name` is who gets it, `role` signer, reader or rep. `link` is the page, `stop`
    ends reminders. `name` is who asked, signed, accepted or declined, `text` what that one wrote, `reply` what was
    answered. `total_minor` is what it came to with the options that were taken."""

    kind: str
    language: str
    document: Document
    to_name: str
    role: str = "signer"
    link: str = ""
    stop: str = ""
    name: str = ""
    text: str = ""
    reply: str = ""
    total_minor: int | None = None


def letter_of(told: Told) -> Letter:
    made = _Writer(told)
    subject, blocks = getattr(made, told.kind)()
    document = told.document
    number = document.number or ""
    return Letter(
        language=told.language,
        subject=_line(f"{subject}: {number} {document.title}"),
        preview=f"{made.total} · {made.until}",
        seller=document.seller.name,
        brand=document.brand,
        blocks=(*blocks, *made.small()),
    )


def _line(text: str, most: int = SUBJECT_MAX) -> str:
    """One line of at most so many characters."""
    found = " ".join(bare(text).split())
    return found if len(found) <= most else found[: most - 1].rstrip() + "…"


class _Writer:
    """A method for each kind: -> (how the subject begins, what it says)."""

    def __init__(self, told: Told) -> None:
        self.told, self.document = told, told.document
        self.say: Say = mail_words(told.language)
        total = told.total_minor if told.total_minor is not None else self.document.priced.total_minor
        self.total = Voice(self.document).money(total)
        day = formats.day(self.document.valid_until, told.language)
        self.until = self.say("%(day)s, end of the day in %(zone)s", day=day, zone=self.document.zone)
        self.seller, self.buyer = _line(self.document.seller.name), _line(self.document.buyer.name)
        self.author = _line(self.document.author.name) or self.seller
        self.who = _line(told.name) or self.buyer

    # -- to a buyer ---------------------------------------------------------------------------------------------------

    def offer(self) -> tuple[str, list[Block]]:
        say, again = self.say, self.document.version > 1
        begins = say("%(author)s of %(seller)s has prepared this offer for %(buyer)s:", **self._parties())
        blocks: list[Block] = [self._greeting(), Said(begins)]
        if again:
            blocks.append(Said(say("It takes the place of the version that you had before.")))
        return say("Offer"), [*blocks, self._facts(), self._open(say("Open the offer")), *self._how()]

    def reminder(self) -> tuple[str, list[Block]]:
        say = self.say
        begins = say("The offer of %(seller)s is still open. It is valid until %(until)s.", **self._parties())
        return say("Reminder"), [
            self._greeting(),
            Said(begins),
            self._facts(),
            self._open(say("Open the offer")),
            *self._how(),
        ]

    def answer(self) -> tuple[str, list[Block]]:
        say = self.say
        blocks: list[Block] = [
            self._greeting(),
            Said(say("%(author)s of %(seller)s has answered your question.", **self._parties())),
            Quoted(say("You asked"), self.told.text),
            Quoted(say("The answer"), self.told.reply),
        ]
        return say("Answer to your question"), [*blocks, self._open(say("Open the offer"))]

    # -- to a buyer or to the rep -------------------------------------------------------------------------------------

    def signed(self) -> tuple[str, list[Block]]:
        say = self.say
        if self.told.role == "rep":
            begins = say("%(who)s has signed. The offer is accepted when the others have signed too.", who=self.who)
            return say("Signed"), [self._greeting(), Said(begins), self._facts()]
        begins = say("%(who)s has signed. Now it is your turn.", who=self.who)
        opens = self._open(say("Open the offer"))
        return say("Your signature"), [self._greeting(), Said(begins), self._facts(), opens]

    def answered(self) -> tuple[str, list[Block]]:
        say = self.say
        if self.told.role == "rep":
            begins = say("%(who)s has accepted the offer. The deal is won.", who=self.who)
            return say("Accepted"), [self._greeting(), Said(begins), self._facts(until=False)]
        thanks = say("Thank you. The offer is accepted. You find the signed document at this address.")
        opens = self._open(say("Open the signed document"))
        return say("Accepted"), [self._greeting(), Said(thanks), self._facts(until=False), opens]

    # -- to the rep ---------------------------------------------------------------------------------------------------

    def question(self) -> tuple[str, list[Block]]:
        say = self.say
        blocks: list[Block] = [
            self._greeting(),
            Quoted(say("%(who)s asks", who=self.who), self.told.text),
            self._facts(),
        ]
        return say("Question"), [*blocks, Said(say("Answer it in your app: the answer is mailed."))]

    def declined(self) -> tuple[str, list[Block]]:
        say = self.say
        blocks: list[Block] = [self._greeting(), Said(say("%(who)s has declined the offer.", who=self.who))]
        if self.told.text:
            blocks.append(Quoted(say("The reason"), self.told.text))
        return say("Declined"), [*blocks, self._facts(until=False)]

    # -- what several of them say -------------------------------------------------------------------------------------

    def small(self) -> list[Block]:
        """Why somebody gets this, and how reminders end."""
        say, kind = self.say, self.told.kind
        if self.told.role == "rep":
            return [Small(say("You get this because the offer is yours."))]
        why = say("You get this because %(author)s named you as a recipient of this offer.", **self._parties())
        stops = self.told.stop and kind in (outbox.OFFER, outbox.REMINDER)
        return [Small(why), *([Small(say("No more reminders of this offer"), self.told.stop)] if stops else [])]

    def _parties(self) -> dict[str, str]:
        return {"author": self.author, "seller": self.seller, "buyer": self.buyer, "until": self.until}

    def _greeting(self) -> Said:
        return Said(self.say("Hello %(name)s,", name=_line(self.told.to_name)))

    def _facts(self, *, until: bool = True) -> Facts:
        say, document = self.say, self.document
        rows = [(say("Offer"), _line(document.title))]
        number = document.number or ""
        if document.version > 1:
            number = say("%(number)s, version %(version)s", number=number, version=document.version)
        rows.append((say("Number"), number))
        if until:
            rows.append((say("Valid until"), self.until))
        return Facts((*rows, (say("Total"), self.total)))

    def _open(self, label: str) -> Button | Said:
        return Button(label, self.told.link) if self.told.link else Said(self.say("The address is in an earlier mail."))

    def _how(self) -> list[Block]:
        """What can be done there, and that the link is a key."""
        say = self.say
        if self.told.role == "reader":
            does = say("There you can read it and ask questions.")
        else:
            does = say("There you can read it, ask questions, accept or decline it.")
        alone = say("Whoever has this address can open the offer: pass it on only to whom it concerns.")
        return [Said(f"{does} {alone}")]
