"""`sfa user …`: the people of the company, for whoever installs the server."""

import click
import msgspec
from sqlalchemy import Connection, func, select

from sfa.app.cli_database import current_database
from sfa.core.access import ROLES
from sfa.core.clock import SystemClock
from sfa.core.entities import User
from sfa.core.errors import Refused
from sfa.core.ids import KeyMaker, check_key
from sfa.db.tables import ROWS
from sfa.db.writes import Door, Origin
from sfa.web.auth import set_password_hash
from sfa.web.passwords import hash_password

_USERS = ROWS["users"].c


@click.group()
def user() -> None:
    """Add people, list them, set their passwords."""


@user.command()
@click.argument("email")
@click.option("--name", required=True)
@click.option("--role", type=click.Choice(ROLES), default="rep", show_default=True)
@click.option("--key", help="The user's key; a new one by default.")
@click.password_option(help="Asked for where it is not given.")
def add(email: str, name: str, role: str, key: str | None, password: str) -> None:
    """Add a person who can log in."""
    clock = SystemClock()
    user_key = check_key(key) if key is not None else KeyMaker(clock).new()
    password_hash = hash_password(password)
    with current_database() as database:
        database.write(add_user, user_key, User(name=name, email=email, role=role), password_hash, clock.now_ms())
    click.echo(user_key)


@user.command("set-password")
@click.argument("email")
@click.password_option(help="Asked for where it is not given.")
def set_password(email: str, password: str) -> None:
    """Set a password, which ends every login of that person."""
    password_hash = hash_password(password)
    with current_database() as database:
        database.write(_replace_password, email, password_hash, SystemClock().now_ms())


@user.command("list")
def list_users() -> None:
    """List everybody: key, role, e-mail, name."""
    with current_database() as database:
        for key, role, email, name, active in database.read(_everybody):
            click.echo(f"{key}  {role:<8}  {email}  {name}{'' if active else '  (inactive)'}")


def add_user(connection: Connection, key: str, person: User, password_hash: str, now_ms: int) -> None:
    """A new user with a password, through the one door. Refuses field_invalid, key_taken and duplicate_email."""
    try:
        values = msgspec.structs.asdict(msgspec.convert(msgspec.to_builtins(person), User))
    except msgspec.ValidationError as error:
        raise Refused("field_invalid", str(error)) from error
    if _with_email(connection, person.email):
        raise Refused("duplicate_email")
    door = Door(connection, now_ms)
    cell = door.cell("users", key)
    if cell.rev:
        raise Refused("key_taken")
    given = {name: value for name, value in values.items() if name not in ("created_at", "created_by")}
    door.put(cell, given, Origin(author_key=None, at=now_ms, stored_at=now_ms))
    door.flush()
    set_password_hash(connection, key, password_hash, now_ms)


def _with_email(connection: Connection, email: str) -> list[str]:
    query = select(_USERS.key).where(func.lower(_USERS.email) == email.lower(), ~_USERS.gone)
    return list(connection.execute(query).scalars())


def _replace_password(connection: Connection, email: str, password_hash: str, now_ms: int) -> None:
    keys = _with_email(connection, email)
    if len(keys) != 1:
        raise Refused("row_unknown", f"{len(keys)} users have this e-mail address")
    set_password_hash(connection, keys[0], password_hash, now_ms)


def _everybody(connection: Connection) -> list[tuple[str, str, str, str, bool]]:
    query = select(_USERS.key, _USERS.role, _USERS.email, _USERS.name, _USERS.active).where(~_USERS.gone)
    return [tuple(row) for row in connection.execute(query.order_by(_USERS.email))]
