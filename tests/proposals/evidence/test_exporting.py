"""What a court gets: files that prove themselves, keys that are replaced, and the terminal around both (R46, R48)."""

import hashlib
import shutil
import subprocess
import zipfile
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import update

from proposals.evidence import exporting, keys
from proposals.evidence.exporting import evidence_of, unlike
from proposals.evidence.inspecting import inspect
from proposals.evidence.verifying import our_keys, verdict
from sfa.app.cli import main as cli
from sfa.core.errors import Refused
from sfa.db import proposal_timeline as timeline
from sfa.db.tables import proposal_answers, proposal_events
from sfa.web.secret import Secret
from tests.office import Office
from tests.proposals.buyer.answers import drawing
from tests.proposals.evidence.sealed import SECRET, answer, content, sealed
from tests.proposals.evidence.test_sealer import accepted

pytestmark = pytest.mark.xdist_group("sealed proposals")


def exported(office: Office, folder: Path) -> dict[str, bytes]:
    return office.database.read(evidence_of, lambda digest: content(folder, digest), "p1")


def test_every_digest_is_computed_again_from_the_exported_files(office: Office, tmp_path: Path) -> None:
    """R46, R48: by `sha256sum` alone, against the sums that were noted when it happened."""
    accepted(office, method="drawn", drawing=drawing())
    sealed(office, tmp_path / "kept")
    files, folder = exported(office, tmp_path / "kept"), tmp_path / "out"
    for name, body in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body)
    assert {"document.json", "accepted.json", "final.pdf", "certificate.pdf", "key.pem", "signature-1.png"} <= set(
        files
    )
    assert unlike(files) == []
    if shutil.which("sha256sum") is not None:
        command = ["sha256sum", "--check", "--strict", "SHA256SUMS"]
        run = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        assert run.returncode == 0, run.stdout
    chain = sorted(name for name in files if name.startswith("timeline/"))
    before = timeline.BEGINNING
    for name in chain:
        assert before.encode() in files[name]
        before = hashlib.sha256(files[name]).hexdigest()
    assert len(chain) == 4


def test_what_was_changed_since_is_found_in_the_export(office: Office, tmp_path: Path) -> None:
    accepted(office)
    sealed(office, tmp_path)
    body = bytes(answer(office)["document"]).replace(b"Carla Ruiz", b"Clara Ruiz")
    change = update(proposal_answers).values(document=body)
    office.database.write(lambda connection: connection.execute(change))
    event = update(proposal_events).where(proposal_events.c.n == 2).values(address="198.51.100.9")
    office.database.write(lambda connection: connection.execute(event))
    assert unlike(exported(office, tmp_path)) == ["accepted.json", "timeline/0002.json"]


def test_nothing_is_exported_of_what_nobody_accepted(office: Office, tmp_path: Path) -> None:
    with pytest.raises(Refused, match="not_found"):
        exported(office, tmp_path)


def test_what_an_older_key_sealed_is_genuine_for_ever(office: Office, tmp_path: Path) -> None:
    """R48: and what somebody signs with a key that is none of ours never is."""
    accepted(office)
    sealed(office, tmp_path)
    wrap = Secret(SECRET).derive(keys.PURPOSE)
    made = office.database.write(keys.rotate, office.clock.now_ms() + 1, wrap, "Company after a merger")
    pdf = content(tmp_path, answer(office)["final_sha256"])
    ours = office.database.read(our_keys)
    assert set(ours.values()) == {"Company S.L.", "Company after a merger"}
    assert verdict("0" * 64, None, inspect(pdf), ours).state == "unlisted"
    found = office.database.write(keys.current, office.clock.now_ms(), wrap, "x")
    assert (found.seal_key, found.fingerprint) == (made.seal_key, made.fingerprint)
    assert [key.retired_at is None for key in office.database.read(keys.known)] == [True, False]


def test_the_terminal_shows_replaces_and_exports(
    office: Office, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = tmp_path / "kept"
    monkeypatch.setenv("SFA_DATABASE_URL", office.database.url)
    monkeypatch.setenv("SFA_SECRET", SECRET)
    monkeypatch.setenv("SFA_FILES_URL", f"file:{kept}")

    def run(*words: str) -> Result:
        return CliRunner().invoke(cli, list(words))

    assert run("seal", "show").exit_code != 0
    accepted(office)
    sealed(office, kept)
    shown = run("seal", "show")
    assert "BEGIN CERTIFICATE" in shown.stdout
    assert "own-000001 seals: Company S.L." in shown.stderr
    target = tmp_path / "p1.zip"
    assert run("proposal", "evidence", "p1", "-o", str(target)).exit_code == 0
    with zipfile.ZipFile(target) as packed:
        files = {name: packed.read(name) for name in packed.namelist()}
    assert exporting.unlike(files) == []
    assert run("seal", "rotate", "--name", "Newer").exit_code == 0
    assert run("seal", "show", "--all").stdout.count("BEGIN CERTIFICATE") == 2
    assert run("seal", "again").stdout == "0 ordered\n"
