"""What can go wrong, by who has to act: the caller, the machine's owner, or the owner of one image."""

from collections.abc import Iterable


class DptoolsError(Exception):
    """An error whose message is fit to be shown as it is, on one line."""

    exit_status = 1


class UsageError(DptoolsError):
    """The command cannot mean anything: an unknown name, a value out of bounds."""

    exit_status = 2


class SetupError(DptoolsError):
    """The command is right, but weights, a device, a program or room for the output are missing."""

    exit_status = 3


class SampleError(DptoolsError):
    """One sample cannot be processed; the stream goes on.

    Args:
        kind: a stable name for programs, such as ``"NotAnImage"``.
        message: the reason, for people.
    """

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(kind, message)
        self.kind = kind
        self.message = message

    def __str__(self) -> str:
        return self.message


def check_name(kind: str, name: str, choices: Iterable[str]) -> str:
    """The name itself.

    Raises:
        UsageError: it is none of the choices; the message lists them.
    """
    if name not in (known := list(choices)):
        raise UsageError(f"unknown {kind} {name!r}: choose {', '.join(known)}")
    return name
