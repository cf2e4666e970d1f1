"""Settings: a frozen value, decoded from the environment once and handed down from there.

Every variable has a default that runs on a laptop. A wrong value is refused as `setting_invalid` with the name of its
variable and never with its content, which may be a secret. Nobody else reads the environment, but for the terminal.
"""

from collections.abc import Mapping
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from sfa.core.entities.attached import FILE_BYTES_MAX
from sfa.core.errors import Refused
from sync.protocol import CONTRACT_MAX, CONTRACT_MIN, CONTRACT_PUSH_MIN, LEASE_MS

VARIABLES: dict[str, str] = {
    "SFA_DATABASE_URL": "database_url",
    "SFA_HOST": "host",
    "SFA_PORT": "port",
    "SFA_ACCESS_TTL_S": "access_ttl_s",
    "SFA_REFRESH_TTL_S": "refresh_ttl_s",
    "SFA_LEASE_S": "lease_s",
    "SFA_CONTRACT_MIN": "contract_min",
    "SFA_LOG_LEVEL": "log_level",
    "SFA_SECRET": "secret",
    "SFA_TRUSTED_PROXIES": "trusted_proxies",
    "SFA_VAPID_PRIVATE_KEY": "vapid_private_key",
    "SFA_VAPID_CONTACT": "vapid_contact",
    "SFA_APNS_KEY_FILE": "apns_key_file",
    "SFA_APNS_KEY_ID": "apns_key_id",
    "SFA_APNS_TEAM_ID": "apns_team_id",
    "SFA_APNS_TOPIC": "apns_topic",
    "SFA_APNS_URL": "apns_url",
    "SFA_FCM_CREDENTIALS_FILE": "fcm_credentials_file",
    "SFA_FILES_URL": "files_url",
    "SFA_FILES_ACCESS_KEY": "files_access_key",
    "SFA_FILES_SECRET_KEY": "files_secret_key",
    "SFA_FILES_BYTES_MAX": "files_bytes_max",
    "SFA_FILES_TYPES": "files_types",
    "SFA_FILES_UPLOAD_TTL_S": "files_upload_ttl_s",
    "SFA_FILES_GRACE_S": "files_grace_s",
    "SFA_FORECAST_SNAPSHOT_MINUTE": "forecast_snapshot_minute",
    "SFA_OUTLOOK_MEMORY_MB": "outlook_memory_mb",
    "SFA_RENDER_WORKERS": "render_workers",
    "SFA_RENDER_MEMORY_MB": "render_memory_mb",
    "SFA_PUBLIC_URL": "public_url",
    "SFA_SMTP_URL": "smtp_url",
    "SFA_MAIL_FROM": "mail_from",
    "SFA_SEAL_KEY_FILE": "seal_key_file",
    "SFA_SEAL_KEY_PASSWORD": "seal_key_password",
    "SFA_TSA_URL": "tsa_url",
    "SFA_WEBHOOK_PRIVATE_HOSTS": "webhook_private_hosts",
}

DatabaseUrl = Annotated[str, Meta(pattern=r"^(sqlite:///|postgresql(\+[a-z0-9]+)?://)")]
LogLevel = Annotated[str, Meta(pattern=r"^(critical|error|warning|info|debug)\Z")]


class Settings(Struct, frozen=True, kw_only=True):
    """`secret` is 32 characters or more; without it the server makes one and keeps it in its database.
    `trusted_proxies` are the addresses, comma-separated, whose X-Forwarded-For is believed. What
    follows is for wakes (S33): each service is off while its settings are empty. `files_*` are for the bytes of
    attachments: without a URL they lie in a folder beside the SQLite file. `outlook_memory_mb` is what a run of the
    forecast engine may take; 0 leaves runs to other processes. `render_workers` is how many documents are printed at
    once, each in a process of at most `render_memory_mb`; 0 leaves printing to other servers. `public_url` is where
    buyers reach this server; without `smtp_url` nothing is mailed."""

    database_url: DatabaseUrl = "sqlite:///./var/sfa.db"
    host: Annotated[str, Meta(min_length=1)] = "127.0.0.1"
    port: Annotated[int, Meta(ge=0, le=65_535)] = 8080
    access_ttl_s: Annotated[int, Meta(ge=10, le=24 * 3600)] = 900
    refresh_ttl_s: Annotated[int, Meta(ge=60, le=400 * 24 * 3600)] = 60 * 24 * 3600
    lease_s: Annotated[int, Meta(ge=3600, le=400 * 24 * 3600)] = LEASE_MS // 1000
    contract_min: Annotated[int, Meta(ge=CONTRACT_PUSH_MIN, le=CONTRACT_MAX)] = CONTRACT_MIN
    log_level: LogLevel = "info"
    secret: Annotated[str, Meta(min_length=32)] | None = None
    trusted_proxies: str = "127.0.0.1"
    vapid_private_key: str = ""
    vapid_contact: str = ""
    apns_key_file: str = ""
    apns_key_id: str = ""
    apns_team_id: str = ""
    apns_topic: str = ""
    apns_url: Annotated[str, Meta(pattern=r"^(https://[^/\s]+/?)?\Z")] = ""
    fcm_credentials_file: str = ""
    files_url: Annotated[str, Meta(pattern=r"^((file:|s3://).+)?\Z")] = ""
    files_access_key: str = ""
    files_secret_key: str = ""
    files_bytes_max: Annotated[int, Meta(ge=1, le=FILE_BYTES_MAX)] = 100 << 20
    files_types: str = ""
    files_upload_ttl_s: Annotated[int, Meta(ge=60, le=400 * 24 * 3600)] = 7 * 24 * 3600
    files_grace_s: Annotated[int, Meta(ge=3600, le=4000 * 24 * 3600)] = 30 * 24 * 3600
    forecast_snapshot_minute: Annotated[int, Meta(ge=0, le=1_320)] = 10
    outlook_memory_mb: Annotated[int, Meta(ge=0, le=1_000_000)] = 4_096
    render_workers: Annotated[int, Meta(ge=0, le=64)] = 2
    render_memory_mb: Annotated[int, Meta(ge=256, le=100_000)] = 1_024
    public_url: Annotated[str, Meta(pattern=r"^(https?://[^/\s?#]+/?)?\Z")] = ""
    smtp_url: Annotated[str, Meta(pattern=r"^(smtps?://\S+)?\Z")] = ""
    mail_from: Annotated[str, Meta(max_length=320)] = ""
    seal_key_file: str = ""
    seal_key_password: str = ""
    tsa_url: Annotated[str, Meta(pattern=r"^(https?://\S+)?\Z")] = ""
    webhook_private_hosts: str = ""

    @property
    def buyers_url(self) -> str:
        """Where buyers reach this server, without a slash at its end."""
        return self.public_url.rstrip("/") or f"http://{self.host}:{self.port}"

    @staticmethod
    def from_environment(environ: Mapping[str, str]) -> "Settings":
        """Settings from variables; an empty one counts as absent."""
        kinds = {field.name: field.type for field in msgspec.structs.fields(Settings)}
        values: dict[str, Any] = {}
        for variable, name in VARIABLES.items():
            text = environ.get(variable, "").strip()
            if text:
                values[name] = _decoded(variable, text.lower() if name == "log_level" else text, kinds[name])
        return Settings(**values)


def _decoded(variable: str, text: str, kind: Any) -> Any:
    try:
        return msgspec.convert(text, kind, strict=False)
    except msgspec.ValidationError as error:
        raise Refused("setting_invalid", f"{variable}: {error}", setting=variable) from error
