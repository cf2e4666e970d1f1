"""How a checker says that a promise was broken, and how a server ends."""


class Failed(AssertionError):
    """`checker` names the file that found it; `what` says what does not hold."""

    def __init__(self, checker: str, what: str) -> None:
        super().__init__(f"{checker}: {what}")
        self.checker, self.what = checker, what


class Crash(Exception):
    """The server's process ended here."""
