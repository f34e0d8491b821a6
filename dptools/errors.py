"""Exceptions, classified by who must act: the caller, the administrator of the machine, or the owner of an image."""

from collections.abc import Iterable
from difflib import get_close_matches

from dptools.texts import did_you_mean


class DptoolsError(Exception):
    """Base class of errors whose message is shown to users as it is, on one line.

    Attributes:
        exit_status: The exit status of a program that ends with this error.
    """

    exit_status = 1


class UsageError(DptoolsError):
    """The request is invalid: an unknown name, or a value outside its range."""

    exit_status = 2


class SetupError(DptoolsError):
    """The request is valid, but weights, a device, a program or disk space is missing."""

    exit_status = 3


class SampleError(DptoolsError):
    """One sample cannot be processed. It becomes an error record, and the run continues.

    Args:
        kind: A stable name for programs, such as ``"NotAnImage"``.
        message: The reason, for people.
    """

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(kind, message)
        self.kind = kind
        self.message = message

    def __str__(self) -> str:
        return self.message


def check_name(kind: str, name: str, choices: Iterable[str]) -> str:
    """Return the name if it is one of the choices.

    Args:
        kind: What the name denotes, for the error message: ``"model"``, for example.
        name: The name to check.
        choices: The valid names.

    Raises:
        UsageError: The name is none of the choices; the message lists them.
    """
    if name not in (known := list(choices)):
        similar = did_you_mean(get_close_matches(name, known))
        raise UsageError(f"unknown {kind} {name!r}{similar}: choose {', '.join(known)}")
    return name
