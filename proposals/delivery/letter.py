"""A letter: what is said in a mail, in blocks that become its text and its HTML alike.

Texts that people wrote are escaped, and controls that turn the order of characters around are left out of both. The
HTML is whole in itself: styles stand at its elements, in the company's colours; no picture, no script, nothing that
tells anybody that it was opened.
"""

from markupsafe import Markup, escape
from msgspec import Struct

from proposals.document import Brand
from proposals.templates.rich import BREAK_HERE, clean, direction, plain

FONT = "font-family:-apple-system,'Segoe UI',Roboto,'Helvetica Neue',Arial,sans-serif"
INK, SOFT, PAPER, RULE, BACK = "#1d1d1f", "#55555c", "#ffffff", "#e3e3e8", "#f4f4f6"


class Said(Struct, frozen=True):
    """A paragraph of ours; names in it are plain."""

    text: str


class Quoted(Struct, frozen=True):
    """What somebody wrote, with who it was above it."""

    by: str
    text: str


class Facts(Struct, frozen=True):
    """(label, what it is) of a few things; the last of them stands out."""

    rows: tuple[tuple[str, str], ...]


class Button(Struct, frozen=True):
    label: str
    address: str


class Small(Struct, frozen=True):
    """Below all else: why somebody gets this. `address` makes the text a link."""

    text: str
    address: str = ""


Block = Said | Quoted | Facts | Button | Small


class Letter(Struct, frozen=True, kw_only=True):
    """`seller` stands above it, `preview` is what a list of mails shows after the subject."""

    language: str
    subject: str
    preview: str
    seller: str
    brand: Brand
    blocks: tuple[Block, ...]


# -- text -------------------------------------------------------------------------------------------------------------


def text_of(letter: Letter) -> str:
    """The part for who reads without HTML, in lines of what was said."""
    return "\n\n".join(part for part in map(_as_text, letter.blocks) if part) + "\n"


def _as_text(block: Block) -> str:
    match block:
        case Said(text):
            return bare(text)
        case Quoted(by, text):
            lines = "\n".join(f"> {line}".rstrip() for line in bare(text).split("\n"))
            return f"{bare(by)}:\n{lines}"
        case Facts(rows):
            return "\n".join(f"{bare(label)}: {bare(value)}" for label, value in rows)
        case Button(label, address):
            return f"{bare(label)}:\n{address}"
        case Small(text, address):
            return f"{bare(text)}\n{address}" if address else f"-- \n{bare(text)}"


def bare(text: str) -> str:
    """Without controls; nothing is put into long words, which may be addresses."""
    return clean(text).replace(BREAK_HERE, "")


# -- HTML -------------------------------------------------------------------------------------------------------------


def html_of(letter: Letter) -> str:
    inner = Markup("\n").join(_as_html(block, letter.brand) for block in letter.blocks if not isinstance(block, Small))
    below = Markup("\n").join(_as_html(block, letter.brand) for block in letter.blocks if isinstance(block, Small))
    return str(
        _PAGE.format(
            language=letter.language,
            title=bare(letter.subject),
            preview=bare(letter.preview),
            seller=plain(letter.seller),
            inner=inner,
            below=below,
            primary=letter.brand.primary,
            font=FONT,
            ink=INK,
            paper=PAPER,
            rule=RULE,
            back=BACK,
        )
    )


_PAGE = Markup("""\
<!DOCTYPE html>
<html lang="{language}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light">
<title>{title}</title>
</head>
<body style="margin:0;padding:0;background:{back}">
<div style="display:none;max-height:0;overflow:hidden">{preview}</div>
<table role="presentation" width="100%" cellpadding="0" cellspacing="0" border="0" style="background:{back}">
<tr><td align="center" style="padding:24px 12px">
<table role="presentation" width="100%" cellpadding="0" cellspacing="0" border="0"
 style="max-width:560px;background:{paper};border:1px solid {rule};border-radius:8px">
<tr><td style="padding:20px 28px 16px;border-top:4px solid {primary};border-radius:8px 8px 0 0;{font};font-size:15px;
font-weight:600;color:{primary}">{seller}</td></tr>
<tr><td style="padding:4px 28px 24px;{font};font-size:16px;line-height:1.5;color:{ink}">
{inner}
</td></tr>
</table>
<table role="presentation" width="100%" cellpadding="0" cellspacing="0" border="0" style="max-width:560px">
<tr><td style="padding:16px 28px;{font};font-size:13px;line-height:1.5">
{below}
</td></tr>
</table>
</td></tr>
</table>
</body>
</html>
""")
_SAID = Markup('<p style="margin:0 0 16px">{}</p>')
_QUOTED = Markup(
    '<p style="margin:0 0 6px;color:{soft}">{by}</p>\n'
    '<blockquote dir="{direction}" style="margin:0 0 20px;padding:2px 0 2px 14px;border-left:3px solid {accent}">{text}'
    "</blockquote>"
)
_FACTS = Markup(
    '<table role="presentation" cellpadding="0" cellspacing="0" border="0" width="100%"'
    ' style="margin:4px 0 20px;border-top:1px solid {rule}">\n{rows}\n</table>'
)
_FACT = Markup(
    '<tr><td style="padding:8px 16px 8px 0;border-bottom:1px solid {rule};color:{soft};vertical-align:top">{label}</td>'
    '<td align="right" style="padding:8px 0;border-bottom:1px solid {rule};vertical-align:top;{weight}">{value}</td>'
    "</tr>"
)
_BUTTON = Markup(
    '<p style="margin:4px 0 12px"><a href="{address}" style="display:inline-block;padding:13px 24px;border-radius:6px;'
    'background:{primary};color:#ffffff;text-decoration:none;font-weight:600">{label}</a></p>\n'
    '<p style="margin:0 0 16px;font-size:13px;color:{soft};word-break:break-all">{address}</p>'
)
_SMALL = Markup('<p style="margin:0 0 8px;color:{soft}">{text}</p>')
_SMALL_LINK = Markup('<p style="margin:0 0 8px"><a href="{address}" style="color:{soft}">{text}</a></p>')


def _as_html(block: Block, brand: Brand) -> Markup:
    match block:
        case Said(text):
            return _SAID.format(plain(text))
        case Quoted(by, text):
            kept = Markup("<br>\n").join(escape(line) for line in clean(text).split("\n"))
            way = direction(text)
            return _QUOTED.format(by=plain(by), text=kept, direction=way, accent=brand.accent, soft=SOFT)
        case Facts(rows):
            last = len(rows) - 1
            parts = (_fact(label, value, is_last=n == last) for n, (label, value) in enumerate(rows))
            return _FACTS.format(rows=Markup("\n").join(parts), rule=RULE)
        case Button(label, address):
            return _BUTTON.format(label=label, address=address, primary=brand.primary, soft=SOFT)
        case Small(text, address):
            shape = _SMALL_LINK if address else _SMALL
            return shape.format(text=plain(text), address=address, soft=SOFT)


def _fact(label: str, value: str, *, is_last: bool) -> Markup:
    weight = "font-weight:600;font-size:18px" if is_last else ""
    return _FACT.format(label=label, value=plain(value), weight=weight, rule=RULE, soft=SOFT)
