"""`sfa proposal …`: a PDF from the terminal, without server or database, by the process that a server prints with."""

import asyncio
import hashlib
import os
import zipfile
from datetime import UTC, datetime
from pathlib import Path

import click
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import load_pem_x509_certificates

from proposals import typed
from proposals.document import Document, canonical
from proposals.evidence.examining import Examiner
from proposals.evidence.exporting import evidence_of, unlike
from proposals.evidence.keys import named as named_by
from proposals.evidence.verifying import verdict
from proposals.rendering.press import Press
from proposals.rendering.values import Limits, Order
from proposals.templates.template import BUILT_IN, Template
from sfa.app.cli_database import current_database
from sfa.app.file_service import file_service
from sfa.app.settings import Settings
from sfa.core.apart import Failed
from sfa.core.clock import SystemClock
from sfa.core.days import local_day
from sfa.core.errors import Refused

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


@proposal.command()
@click.argument("file", type=File)
@click.option("--certificate", "pem", type=File, required=True, help="Of the key that seals, as `sfa seal show` says.")
def verify(file: Path, pem: Path) -> None:
    """Say whether FILE is sealed by the key of this certificate and unchanged. Needs neither server nor database."""
    ours = load_pem_x509_certificates(pem.read_bytes())
    whole = [each.public_bytes(Encoding.DER) for each in ours]
    names = {hashlib.sha256(each).hexdigest(): named_by(each) for each in whole}
    content = file.read_bytes()
    found = asyncio.run(Examiner().inspect(content))
    told = verdict(hashlib.sha256(content).hexdigest(), None, found, names)
    state = "intact" if told.state == "unlisted" else told.state
    at = datetime.fromtimestamp(told.sealed_at / 1000, UTC).isoformat(" ") if told.sealed_at is not None else ""
    how = " (confirmed by a timestamp authority)" if told.stamped else ""
    click.echo(f"{state}: SHA-256 {told.sha256}")
    if told.sealed_by is not None:
        click.echo(f"sealed by {told.sealed_by}, certificate SHA-256 {told.key_sha256}{', ' + at + how if at else ''}")
    if state != "intact":
        raise click.exceptions.Exit(1)


@proposal.command()
@click.argument("key")
@click.option("-o", "--output", type=click.Path(dir_okay=False, path_type=Path), help="KEY.zip if not said.")
def evidence(key: str, output: Path | None) -> None:
    """Write everything that proves the acceptance of a proposal into a zip: `sha256sum -c SHA256SUMS` checks it."""
    settings, clock = Settings.from_environment(os.environ), SystemClock()
    with current_database() as database:
        files = file_service(settings, database, clock)

        def read(sha256: str) -> bytes:
            size = files.place.size(sha256)
            if size is None:
                raise Refused("file_awaited", f"the content {sha256} is not in its place")
            return b"".join(files.place.read(sha256, 0, size))

        exported = database.read(evidence_of, read, key)
        files.close()
    place = output if output is not None else Path(f"{key}.zip")
    with zipfile.ZipFile(place, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, content in exported.items():
            packed.writestr(name, content)
    click.echo(f"{place}: {len(exported)} files")
    wrong = unlike(exported)
    if wrong:
        raise click.ClickException(f"not what was noted: {', '.join(wrong)}")


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
