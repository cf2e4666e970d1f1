"""Settings come from the environment, once, and a wrong one is refused by its name."""

import pytest

from sfa.app.settings import VARIABLES, Settings
from sfa.core.errors import Refused


def test_an_empty_environment_gives_settings_that_run_on_a_laptop() -> None:
    settings = Settings.from_environment({"SFA_PORT": " ", "PATH": "/bin"})
    assert settings == Settings()
    assert settings.database_url == "sqlite:///./var/sfa.db"
    assert (settings.host, settings.port) == ("127.0.0.1", 8080)
    assert (settings.access_ttl_s, settings.refresh_ttl_s) == (900, 60 * 24 * 3600)


def test_every_field_has_a_variable_and_every_variable_a_field() -> None:
    assert sorted(VARIABLES.values()) == sorted(Settings.__struct_fields__)


def test_variables_are_decoded() -> None:
    environ = {"SFA_PORT": "9000", "SFA_LOG_LEVEL": "DEBUG", "SFA_DATABASE_URL": "postgresql://u:p@h/db"}
    settings = Settings.from_environment(environ)
    assert (settings.port, settings.log_level, settings.database_url) == (9000, "debug", "postgresql://u:p@h/db")


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("SFA_PORT", "http"),
        ("SFA_PORT", "70000"),
        ("SFA_ACCESS_TTL_S", "0"),
        ("SFA_ACCESS_TTL_S", "1.5"),
        ("SFA_REFRESH_TTL_S", "-1"),
        ("SFA_LOG_LEVEL", "loud"),
        ("SFA_SECRET", "too short"),
        ("SFA_DATABASE_URL", "mysql://h/db"),
    ],
)
def test_a_wrong_value_is_refused_by_the_name_of_its_variable(variable: str, value: str) -> None:
    with pytest.raises(Refused) as refused:
        Settings.from_environment({variable: value})
    assert refused.value.code == "setting_invalid"
    assert variable in refused.value.text


def test_a_secret_is_not_repeated_in_the_refusal() -> None:
    with pytest.raises(Refused) as refused:
        Settings.from_environment({"SFA_SECRET": "hunter2"})
    assert "hunter2" not in str(refused.value)
