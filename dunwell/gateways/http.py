"""Checks URLs, opens HTTP sessions, and says whether a failed request may have been received."""

import logging
import re
import ssl
from collections.abc import Iterator
from ipaddress import AddressValueError, IPv4Address
from urllib.parse import urlsplit

import requests
from urllib3.exceptions import ConnectTimeoutError, MaxRetryError, NewConnectionError

# The whole URL is matched, not a parsed host: parsers disagree about userinfo, backslashes and text after
# a bracket, and a URL that one of them reads as local could lead another to a real provider.
_LOCAL = re.compile(
    r"https?://(?:localhost|\[::1\]|(?P<ipv4>127(?:\.[0-9]{1,3}){3}))(?::[0-9]{1,5})?(?:/[!-\[\]-~]*)?",
    re.IGNORECASE | re.ASCII,
)

_MALFORMED = (
    requests.exceptions.InvalidURL,
    requests.exceptions.MissingSchema,
    requests.exceptions.InvalidSchema,
    requests.exceptions.InvalidHeader,
)


def is_loopback(url: str) -> bool:
    """Whether `url` surely stays on this machine: http(s) to 127.0.0.0/8, [::1] or localhost, any port.

    Everything doubtful is False: user names in the URL, look-alike hosts, other spellings of an address.
    """
    match = _LOCAL.fullmatch(url)
    if match is None:
        return False
    address = match["ipv4"]
    if address is None:
        return True
    try:
        IPv4Address(address)
    except AddressValueError:
        return False
    return True


def web_address(url: str, setting: str) -> str:
    """`url` without a slash at its end. Raises ValueError naming `setting` when it is no http(s) URL.

    The URL itself is not repeated: it may hold a token.
    """
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError(f"{setting} must begin with http:// or https:// and a host: correct it or unset it")
    return url.rstrip("/")


def fresh_session(url: str) -> requests.Session:
    """A session for one exchange with `url`; a loopback address is reached without any proxy.

    Never kept: a pooled connection that the other side closes at the wrong moment leaves the outcome unknown.
    """
    # At level DEBUG this logger writes every path and query: phone numbers, and tokens in a product's URL.
    logging.getLogger("urllib3.connectionpool").setLevel(logging.INFO)
    session = requests.Session()
    session.trust_env = not is_loopback(url)
    return session


def never_left(error: requests.RequestException) -> bool:
    """Whether the request surely did not reach the other side, so that it may be made again.

    True for refused connections, unknown hosts, connect timeouts, proxies and certificates that fail, and
    malformed URLs. Everything else may have happened after the request was read.
    """
    if isinstance(error, (requests.ConnectTimeout, requests.exceptions.ProxyError, *_MALFORMED)):
        return True
    return any(
        isinstance(cause, (NewConnectionError, ConnectTimeoutError, ssl.SSLCertVerificationError))
        for cause in causes(error)
    )


def causes(error: BaseException) -> Iterator[BaseException]:
    """The errors that caused an error of `requests`: each layer holds the one below as argument or reason."""
    inner = error.reason if isinstance(error, MaxRetryError) else next(iter(error.args), None)
    if isinstance(inner, BaseException):
        yield inner
        yield from causes(inner)
