import os
import subprocess
import sys
from hashlib import sha256

import pikepdf
import pytest

from proposals.pdf.printing import print_pdf
from sfa.core.errors import Refused
from tests.proposals.pdf.pages import MADE_AT, page, printed

SCRIPT = """
from hashlib import sha256
from tests.proposals.pdf.pages import page, printed
printed("<p>something else before</p>")
print(sha256(printed(page())).hexdigest())
"""


@pytest.fixture(scope="module")
def pdf() -> bytes:
    return printed(page())


def test_the_json_of_the_proposal_is_embedded_as_its_source(pdf: bytes, tmp_path: object) -> None:
    import io

    with pikepdf.open(io.BytesIO(pdf)) as opened:
        attached = opened.attachments["proposal.json"].get_file()
        assert attached.read_bytes() == b'{"total":1}'
        assert attached.mime_type == "application/json"
        (source,) = opened.Root.AF
        assert source.AFRelationship == "/Source"


def test_the_same_document_gives_the_same_bytes_in_any_process(pdf: bytes) -> None:
    """R46: the stored bytes are what everybody gets; made again, by the same libraries, they are the same."""
    for seed in ("1", "2"):
        told = subprocess.run(
            [sys.executable, "-c", SCRIPT], env={**os.environ, "PYTHONHASHSEED": seed}, capture_output=True, check=True
        )
        assert told.stdout.decode().strip() == sha256(pdf).hexdigest()


def test_another_instant_title_or_json_gives_other_bytes(pdf: bytes) -> None:
    assert printed(page(), made_at=MADE_AT + 1_000) != pdf
    assert printed(page(), title="Other") != pdf
    assert printed(page(), document_json=b"{}") != pdf


def test_an_address_of_any_other_kind_refuses_the_document() -> None:
    with pytest.raises(Refused) as caught:
        print_pdf('<img src="file:///etc/passwd" alt="x">', document_json=b"{}", title="x", language="en", made_at=0)
    assert caught.value.code == "pdf_refused"
