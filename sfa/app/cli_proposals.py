"""`sfa proposal …`: a PDF from the terminal, without server or database, by the process that a server prints with."""

import asyncio
import hashlib
import os
from pathlib import Path

import click

from proposals import typed
from proposals.document import Document, canonical
from proposals.rendering.press import Press
from proposals.rendering.values import Limits, Order
from proposals.templates.template import BUILT_IN, Template
from sfa.app.settings import Settings
from sfa.core.apart import Failed
from sfa.core.clock import SystemClock
from sfa.core.days import local_day

SAMPLE = Path(typed.__file__).parent / "sample.json"
File = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.group()
def proposal() -> None:
    """Proposals as PDF (docs/proposals.md)."""


@proposal.command()
def sample() -> None:
    """Print an offer to begin with, as JSON for `sfa proposal render`."""
    click.echo(SAMPLE.read_text("utf-8"), nl=False)


@proposal.command()
@click.argument("file", type=File)
@click.option("-o", "--output", type=click.Path(dir_okay=False, path_type=Path), help="FILE.pdf (.html) if not said.")
@click.option("--template", "base", type=click.Choice(sorted(BUILT_IN)), help="In place of the one that FILE names.")
@click.option("--pictures", type=click.Path(exists=True, file_okay=False, path_type=Path), help="A folder of pictures.")
@click.option("--html", is_flag=True, help="What is printed, before it is a PDF.")
def render(file: Path, output: Path | None, base: str | None, pictures: Path | None, html: bool) -> None:
    """Make a PDF of FILE: the JSON of a document, or of an offer with lines and prices (`sfa proposal sample`).

    Needs neither server nor database. Pictures that FILE names by their SHA-256 are looked for in the folder.
    """
    document, own = typed.read(file.read_bytes(), local_day(SystemClock().now_ms(), "UTC"))
    template = BUILT_IN[base] if base is not None else own or _template_of(document)
    made = asyncio.run(_made(document, template, _assets(pictures), html))
    place = output if output is not None else file.with_suffix(".html" if html else ".pdf")
    place.write_bytes(made)
    click.echo(f"{place}: {len(made):,} bytes, SHA-256 {hashlib.sha256(made).hexdigest()}")


def _template_of(document: Document) -> Template:
    """The built-in one that a document names; of a company's own the base is all that there is here."""
    found = BUILT_IN.get(document.template.key)
    if found is None:
        raise click.ClickException(f"{document.template.key} is a template of a company: say --template")
    if found.digest != document.template.digest:
        click.echo("the template is not as it was when the document was made: the PDF may look otherwise", err=True)
    return found


def _assets(folder: Path | None) -> dict[str, bytes]:
    files = [path for path in sorted(folder.iterdir()) if path.is_file()] if folder is not None else []
    contents = [path.read_bytes() for path in files]
    return {hashlib.sha256(content).hexdigest(): content for content in contents}


async def _made(document: Document, template: Template, assets: dict[str, bytes], html: bool) -> bytes:
    memory_mb = Settings.from_environment(os.environ).render_memory_mb
    press = Press(1, Limits(memory_mb=memory_mb))
    order = Order(canonical(document), template, assets, "print" if html else "pdf")
    try:
        return await press.print(order, len(document.items))
    except Failed as failed:
        raise click.ClickException(f"{failed.text} ({failed.code})") from failed
    finally:
        await press.close()
