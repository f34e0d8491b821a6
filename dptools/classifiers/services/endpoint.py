"""Where a service is and what key it takes, looked at before either is used."""

import re

import httpx

from dptools.errors import SetupError, UsageError
from dptools.texts import printable

HERE = ("localhost", "127.0.0.1", "::1")
"""Names of this machine: requests to it go through no proxy, and may hold a key in the clear."""


def check_address(text: str) -> httpx.URL:
    """The address.

    Raises:
        UsageError: it is no HTTP address, or holds a password, which would end up in records.
    """
    try:
        url = httpx.URL(text)
        url.raw_host.decode("ascii").encode("idna")  # as the resolver will
        if re.search(r"\s", text) or not (url.port is None or 0 < url.port < 2**16):
            raise ValueError
    except (httpx.InvalidURL, ValueError):
        raise UsageError(f"{printable(text[:300])}: not an address") from None
    if url.userinfo:
        raise UsageError(f"address of {url.host}: no name and password in it, since records would show them")
    if url.scheme not in ("http", "https") or not url.host or url.query or url.fragment:
        raise UsageError(f"{printable(text)}: not an http:// or https:// address, without ? and #")
    return url


def check_key(key: str, url: httpx.URL) -> str:
    """The value of an Authorization header.

    Raises:
        SetupError: it is none, or would be sent in the clear.
    """
    if not re.fullmatch(r"[!-~]+ [!-~]+", key):
        raise SetupError(f"the key for {url.host} has characters in it that no key has")
    if url.scheme == "http" and url.host not in HERE:
        raise SetupError(f"the key for {url.host} is not sent in the clear: give an https:// address")
    return key
