"""The company's keys for sealing: one that it gives (PKCS #12), or one that is made when something is first sealed.

A key that is made here is of P-256 with a certificate that it signs itself, in the company's name, for ten years. Its
private half lies in the database, encrypted with a key of the server's secret, and leaves this process never: printing
processes do not get it. One key seals; those before it are kept by their certificates, so that what they sealed can be
verified for ever. A key that the company gives is noted by its certificate alone.
"""

import secrets
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_der_private_key,
)
from cryptography.hazmat.primitives.serialization.pkcs12 import load_pkcs12
from cryptography.x509.oid import NameOID
from msgspec import Struct
from sqlalchemy import Connection, Select, func, select, update
from sqlalchemy.dialects import postgresql, sqlite

from sfa.core.errors import Refused
from sfa.db.tables import seal_keys

PURPOSE = "seal-key"  # what `Secret.derive` is asked for
NONCE_BYTES = 12
YEARS = 10
NAME_MAX = 64  # characters of a name in a certificate
GIVEN_BYTES_MAX = 1 << 20
OWN, GIVEN = "own-", "given-"
_K = seal_keys.c


class SealKey(Struct, frozen=True, kw_only=True):
    """`certificate` and `chain` are DER, `private_key` is PKCS #8."""

    seal_key: str
    certificate: bytes
    private_key: bytes
    chain: tuple[bytes, ...] = ()

    @property
    def fingerprint(self) -> str:
        return sha256(self.certificate).hexdigest()


class Shown(Struct, frozen=True, kw_only=True):
    """A key as people may see it."""

    seal_key: str
    certificate: bytes
    made_at: int
    retired_at: int | None

    @property
    def fingerprint(self) -> str:
        return sha256(self.certificate).hexdigest()

    @property
    def subject(self) -> str:
        return named(self.certificate)

    @property
    def pem(self) -> str:
        return x509.load_der_x509_certificate(self.certificate).public_bytes(Encoding.PEM).decode()


# -- which one seals --------------------------------------------------------------------------------------------------


def current(connection: Connection, now_ms: int, wrap: bytes, company: str) -> SealKey:
    """The key that seals; made in the company's name where there is none. `wrap` is derived for `PURPOSE`. Refuses
    `seal_key_unusable` where the secret is another one than it was encrypted with."""
    for attempt in (1, 2):
        row = connection.execute(_living()).first()
        if row is not None:
            return SealKey(
                seal_key=row.seal_key,
                certificate=bytes(row.certificate),
                private_key=_opened(wrap, row.seal_key, bytes(row.private_key)),
            )
        if attempt == 1:
            _put(connection, now_ms, wrap, company)
    raise Refused("seal_key_unusable", "no key for sealing could be made")


def rotate(connection: Connection, now_ms: int, wrap: bytes, company: str) -> Shown:
    """A new key takes the place of the one that sealed until now, which is told apart from it for ever."""
    living = update(seal_keys).where(_K.retired_at.is_(None), _K.private_key.is_not(None))
    connection.execute(living.values(retired_at=now_ms))
    _put(connection, now_ms, wrap, company)
    row = connection.execute(_living()).first()
    assert row is not None
    return next(each for each in known(connection) if each.seal_key == row.seal_key)


def given(path: str, password: str) -> SealKey:
    """The company's own, of a PKCS #12 file. Refuses `seal_key_unusable`, without saying what is in it."""
    try:
        with Path(path).open("rb") as file:
            data = file.read(GIVEN_BYTES_MAX)
        found = load_pkcs12(data, password.encode() if password else None)
    except (OSError, ValueError, TypeError) as error:
        raise Refused("seal_key_unusable", f"the key file cannot be read: {type(error).__name__}") from None
    if found.key is None or found.cert is None:
        raise Refused("seal_key_unusable", "the key file has no private key with a certificate")
    certificate = found.cert.certificate.public_bytes(Encoding.DER)
    return SealKey(
        seal_key=GIVEN + sha256(certificate).hexdigest()[:40],
        certificate=certificate,
        private_key=found.key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption()),
        chain=tuple(each.certificate.public_bytes(Encoding.DER) for each in found.additional_certs),
    )


def note(connection: Connection, now_ms: int, key: SealKey) -> None:
    """Keep the certificate of a key that the company gave, so that it is known when it is given no more."""
    row = {"seal_key": key.seal_key, "certificate": key.certificate, "private_key": None, "made_at": now_ms}
    _insert(connection, {**row, "retired_at": None})


def known(connection: Connection) -> list[Shown]:
    """Every key that ever sealed here, the newest first."""
    query = select(_K.seal_key, _K.certificate, _K.made_at, _K.retired_at).order_by(_K.made_at.desc(), _K.seal_key)
    return [
        Shown(seal_key=row.seal_key, certificate=bytes(row.certificate), made_at=row.made_at, retired_at=row.retired_at)
        for row in connection.execute(query)
    ]


def named(certificate: bytes) -> str:
    """Whose a certificate says that it is."""
    subject = x509.load_der_x509_certificate(certificate).subject
    found = subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(found[0].value) if found else subject.rfc4514_string()


# -- making one -------------------------------------------------------------------------------------------------------


def made(company: str, now_ms: int) -> tuple[bytes, bytes]:
    """(certificate, private key) of a new key."""
    private = ec.generate_private_key(ec.SECP256R1())
    text = "".join(each for each in company if each.isprintable()).strip()[:NAME_MAX] or "Company"
    name = x509.Name(
        [x509.NameAttribute(NameOID.COMMON_NAME, text), x509.NameAttribute(NameOID.ORGANIZATION_NAME, text)]
    )
    begins = datetime.fromtimestamp(now_ms // 1000, UTC) - timedelta(days=1)  # clocks of others may be behind
    usage = x509.KeyUsage(
        digital_signature=True, content_commitment=True, key_encipherment=False, data_encipherment=False,
        key_agreement=False, key_cert_sign=False, crl_sign=False, encipher_only=False, decipher_only=False,
    )  # fmt: skip
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(private.public_key())
    builder = builder.serial_number(x509.random_serial_number())
    builder = builder.not_valid_before(begins).not_valid_after(begins + timedelta(days=YEARS * 365 + 3))
    builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    builder = builder.add_extension(usage, critical=True)
    identifier = x509.SubjectKeyIdentifier.from_public_key(private.public_key())
    builder = builder.add_extension(identifier, critical=False)
    certificate = builder.sign(private, hashes.SHA256())
    plain = private.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    return certificate.public_bytes(Encoding.DER), plain


def _put(connection: Connection, now_ms: int, wrap: bytes, company: str) -> None:
    """Its key counts those that were made here, so that of two who make one at once the second gets the first's."""
    count = connection.execute(select(func.count()).where(_K.private_key.is_not(None))).scalar_one()
    name = f"{OWN}{count + 1:06d}"
    certificate, private = made(company, now_ms)
    row = {"seal_key": name, "certificate": certificate, "private_key": _sealed(wrap, name, private)}
    _insert(connection, {**row, "made_at": now_ms, "retired_at": None})


def _insert(connection: Connection, row: dict[str, object]) -> None:
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    connection.execute(dialect.insert(seal_keys).values(row).on_conflict_do_nothing())


def _living() -> Select[tuple[str, bytes, bytes]]:
    columns = (_K.seal_key, _K.certificate, _K.private_key)
    return select(*columns).where(_K.retired_at.is_(None), _K.private_key.is_not(None)).order_by(_K.seal_key.desc())


def _sealed(wrap: bytes, name: str, private: bytes) -> bytes:
    nonce = secrets.token_bytes(NONCE_BYTES)
    return nonce + AESGCM(wrap).encrypt(nonce, private, name.encode())


def _opened(wrap: bytes, name: str, data: bytes) -> bytes:
    try:
        private = AESGCM(wrap).decrypt(data[:NONCE_BYTES], data[NONCE_BYTES:], name.encode())
        load_der_private_key(private, None)
    except (InvalidTag, ValueError):
        raise Refused("seal_key_unusable", "the key was encrypted with another secret: rotate it") from None
    return private
