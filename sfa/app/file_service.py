"""The service of files as the settings want it."""

from sfa.app.settings import Settings
from sfa.core.clock import Clock
from sfa.db.database import Database
from sfa.files.service import FileLimits, Files, open_place, types_of


def file_service(settings: Settings, database: Database, clock: Clock) -> Files:
    """Nothing is opened or made before the first file. The default folder lies beside the database that is open."""
    place = open_place(settings.files_url, database.url, settings.files_access_key, settings.files_secret_key)
    limits = FileLimits(
        size_max=settings.files_bytes_max,
        types=types_of(settings.files_types),
        upload_ms=settings.files_upload_ttl_s * 1000,
        grace_ms=settings.files_grace_s * 1000,
    )
    return Files(database, clock, place, limits)
