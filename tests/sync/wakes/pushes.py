"""Push services on loopback, with TLS as the real ones: one speaks HTTP/1.1, one HTTP/2. They note what arrives."""

import asyncio
import datetime as dt
import ipaddress
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cache
from pathlib import Path
from typing import NamedTuple

import h2.config
import h2.connection
import h2.events
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

HOST = "push.example.com"


class Asked(NamedTuple):
    method: str
    path: str
    headers: dict[str, str]
    body: bytes


class Answer(NamedTuple):
    """`delay_s` keeps the client waiting first."""

    status: int = 201
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    delay_s: float = 0.0


class Service:
    """What arrived, and what will be answered; a plain `Answer` when the script is used up."""

    def __init__(self, usual: Answer | None = None) -> None:
        self.asked: list[Asked] = []
        self.script: list[Answer] = []
        self.usual = usual if usual is not None else Answer()
        self.port = 0

    @property
    def origin(self) -> str:
        return f"https://{HOST}:{self.port}"

    async def answer(self, asked: Asked) -> Answer:
        self.asked.append(asked)
        answer = self.script.pop(0) if self.script else self.usual
        await asyncio.sleep(answer.delay_s)
        return answer


@cache
def pem_of_ec() -> str:
    return _pem(ec.generate_private_key(ec.SECP256R1()))


@cache
def pem_of_rsa() -> str:
    return _pem(rsa.generate_private_key(65537, 2048))


def _pem(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> str:
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return key.private_bytes(*form).decode()


def public_of(pem: str) -> bytes:
    key = serialization.load_pem_private_key(pem.encode(), None)
    form = (serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    return key.public_key().public_bytes(*form)


def contexts(folder: Path, *alpn: str) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """-> (of the server, of a client that trusts it)."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, HOST)])
    names = x509.SubjectAlternativeName([x509.DNSName(HOST), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    begins = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(begins)
        .not_valid_after(begins + dt.timedelta(days=20_000))
        .add_extension(names, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    certificate, private = folder / "certificate.pem", folder / "key.pem"
    certificate.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    private.write_text(_pem(key))
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(certificate, private)
    if alpn:
        server.set_alpn_protocols(list(alpn))
    return server, ssl.create_default_context(cafile=str(certificate))


@asynccontextmanager
async def http1(service: Service, context: ssl.SSLContext | None) -> AsyncIterator[Service]:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                first, *lines = head.decode("latin-1").strip().split("\r\n")
                headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
                body = await reader.readexactly(int(headers.get("content-length", 0)))
                answer = await service.answer(Asked(first.split()[0], first.split()[1], headers, body))
                told = [f"HTTP/1.1 {answer.status} Said", f"content-length: {len(answer.body)}"]
                told += [f"{name}: {value}" for name, value in answer.headers]
                writer.write("\r\n".join(told).encode() + b"\r\n\r\n" + answer.body)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError, ssl.SSLError):
            pass
        finally:
            writer.close()

    async with _listening(service, serve, context):
        yield service


@asynccontextmanager
async def http2(service: Service, context: ssl.SSLContext) -> AsyncIterator[Service]:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        wire = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False, header_encoding="utf-8"))
        wire.initiate_connection()
        streams: dict[int, tuple[dict[str, str], bytearray]] = {}
        answering: list[asyncio.Task[None]] = []

        async def answered(stream: int) -> None:
            headers, body = streams.pop(stream)
            answer = await service.answer(Asked(headers[":method"], headers[":path"], headers, bytes(body)))
            wire.send_headers(stream, [(":status", str(answer.status)), *answer.headers])
            wire.send_data(stream, answer.body, end_stream=True)
            writer.write(wire.data_to_send())

        try:
            writer.write(wire.data_to_send())
            while data := await reader.read(65_535):
                for event in wire.receive_data(data):
                    if isinstance(event, h2.events.RequestReceived):
                        streams[event.stream_id] = (dict(event.headers), bytearray())  # type: ignore[arg-type]
                    elif isinstance(event, h2.events.DataReceived):
                        streams[event.stream_id][1].extend(event.data)
                    elif isinstance(event, h2.events.StreamEnded):
                        answering.append(asyncio.create_task(answered(event.stream_id)))
                writer.write(wire.data_to_send())
        except (ConnectionError, ssl.SSLError):
            pass
        finally:
            for task in answering:
                task.cancel()
            await asyncio.gather(*answering, return_exceptions=True)
            writer.close()

    async with _listening(service, serve, context):
        yield service


@asynccontextmanager
async def _listening(service: Service, serve: object, context: ssl.SSLContext | None) -> AsyncIterator[None]:
    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)  # type: ignore[arg-type]
    service.port = server.sockets[0].getsockname()[1]
    try:
        yield
    finally:
        server.close()
