"""`sfa`: the group of commands. Each lives in a module `cli_*` of its own that is loaded when the command is used.

What a person did wrong ends in one line with the stable code, not in a traceback.
"""

import gc
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from importlib import import_module
from keyword import iskeyword
from typing import Any

import click

from sfa.core.errors import Refused

# name -> (module, what `sfa --help` says). The module has a click command of the same name with `-` as `_`, and a `_`
# after a word of Python (`import_`).
COMMANDS: dict[str, tuple[str, str]] = {
    "check-digests": ("sfa.app.cli_serve", "Prove the sums by which devices check that they agree."),
    "commission": ("sfa.app.cli_commission", "The ledger of what people earn by plans, brought in line and proved."),
    "credits": ("sfa.app.cli_credits", "The credits that follow from deals, made anew."),
    "demo": ("sfa.app.cli_demo", "Make a company, play a day with five phones, serve it."),
    "device": ("sfa.app.cli_device", "Work like a rep's phone: offline, and in sync when there is a connection."),
    "erasures": ("sfa.app.cli_erasures", "Who was erased, and erasing again after a backup was restored."),
    "import": ("sfa.app.cli_data", "Bring in a company's data from files."),
    "mail": ("sfa.app.cli_mail", "Mails about proposals: take those that came back."),
    "migrate": ("sfa.app.cli_serve", "Bring the database to this version's schema."),
    "outlook": ("sfa.app.cli_outlook", "Ranges of the forecast engine: runs, and an old one made again."),
    "periods": ("sfa.app.cli_periods", "Close periods, and see which figures are others since."),
    "profit": ("sfa.app.cli_profit", "What customers, products and people earn, and the whale curve."),
    "proposal": ("sfa.app.cli_proposals", "Proposals as PDF from the terminal, and an offer to begin with."),
    "quarantine": ("sfa.app.cli_quarantine", "Review what revoked devices drained."),
    "seed": ("sfa.app.cli_data", "Make up a company of any size."),
    "reconcile": ("sfa.app.cli_reconcile", "Prove that all money is the same money, and say where it is not."),
    "reissue": ("sfa.app.cli_serve", "Write documents anew for devices, after an upgrade."),
    "restored": ("sfa.app.cli_serve", "Say that the database was restored from a backup."),
    "seal": ("sfa.app.cli_seal", "The key that seals what was accepted: its certificate, a new one."),
    "serve": ("sfa.app.cli_serve", "Start the server."),
    "simulate": ("sfa.app.cli_simulate", "Play seeds of the simulation (source checkout only)."),
    "vapid-keys": ("sfa.app.cli_serve", "Make a key pair for Web Push."),
    "user": ("sfa.app.cli_user", "Add people, list them, set their passwords."),
}


@contextmanager
def without_collecting() -> Iterator[None]:
    """Nothing that is being loaded is garbage, and looking for it takes a quarter of the time. It stays, too."""
    collects = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if collects:
            gc.enable()


class LazyCommands(MutableMapping[str, click.Command]):
    """The commands by name; looking one up loads its module."""

    def __init__(self, places: dict[str, tuple[str, str]]) -> None:
        self._places = places
        self._loaded: dict[str, click.Command] = {}

    def __getitem__(self, name: str) -> click.Command:
        if name not in self._loaded:
            module, _ = self._places[name]
            attribute = f"{name}_" if iskeyword(name) else name.replace("-", "_")
            with without_collecting():
                self._loaded[name] = getattr(import_module(module), attribute)
        return self._loaded[name]

    def __setitem__(self, name: str, command: click.Command) -> None:
        self._loaded[name] = command

    def __delitem__(self, name: str) -> None:
        del self._loaded[name]

    def __iter__(self) -> Iterator[str]:
        return iter({**self._places, **self._loaded})

    def __len__(self) -> int:
        return len({**self._places, **self._loaded})


class LazyGroup(click.Group):
    """A group that prints its help without loading any command, and tells a refusal in one line."""

    def format_commands(self, _ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in sorted(COMMANDS.items())])

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except Refused as refused:
            raise click.ClickException(f"{refused.text} ({refused.code})") from refused
        except ConnectionRefusedError as error:
            raise click.ClickException(f"the database does not answer: {error} (server_busy)") from error


main = LazyGroup(
    "sfa",
    commands=LazyCommands(COMMANDS),
    help="Sales force automation for people who work offline.",
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
