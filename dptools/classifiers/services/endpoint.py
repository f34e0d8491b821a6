"""Checks of a service's address and key before either is used."""

import re

import httpx

from dptools.errors import SetupError, UsageError
from dptools.texts import printable

LOCALHOST = ("localhost", "127.0.0.1", "::1")
"""Names of this machine. Requests to it bypass proxies and may send a key without TLS."""


def check_address(text: str) -> httpx.URL:
    """Return the parsed base address of a service.

    Raises:
        UsageError: the text is not an HTTP address, or contains a password, which would end up in records.
    """
    try:
        url = httpx.URL(text)
        url.raw_host.decode("ascii").encode("idna")  # raises UnicodeError for a name that the resolver would reject
        if re.search(r"\s", text) or not (url.port is None or 0 < url.port < 2**16):
            raise ValueError
    except (httpx.InvalidURL, ValueError):
        raise UsageError(f"{printable(text[:300])}: not a valid address") from None
    if url.userinfo:
        raise UsageError(f"address of {url.host}: remove user name and password, because records would show them")
    if url.scheme not in ("http", "https") or not url.host or url.query or url.fragment:
        raise UsageError(f"{printable(text)}: not an http:// or https:// address without ? and #")
    return url


def check_key(key: str, url: httpx.URL) -> str:
    """Return the value of an Authorization header, such as ``Bearer abc``, after checking it.

    Raises:
        SetupError: the key has invalid characters, or would be sent without encryption.
    """
    if not re.fullmatch(r"[!-~]+ [!-~]+", key):
        raise SetupError(f"the key for {url.host} contains characters that are not allowed in a key")
    if url.scheme == "http" and url.host not in LOCALHOST:
        raise SetupError(f"the key for {url.host} would be sent without encryption: use an https:// address")
    return key
