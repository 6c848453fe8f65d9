"""Keeps requests to addresses that others name away from networks that are not public (SSRF)."""

import socket
from collections.abc import Mapping
from ipaddress import IPv6Address, IPv6Network, ip_address
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPSConnection
from urllib3.connectionpool import HTTPSConnectionPool
from urllib3.exceptions import NewConnectionError

from dunwell.gateways.http import causes, is_loopback

_NAT64 = IPv6Network("64:ff9b::/96")
"""Addresses that a translator turns into IPv4 ones, also private ones."""


def is_public(address: str) -> bool:
    """Return whether an IP address belongs to the public internet. Raises ValueError for no address."""
    parsed = ip_address(address.partition("%")[0])
    if isinstance(parsed, IPv6Address):
        inner = parsed.ipv4_mapped or parsed.sixtofour
        if inner is not None:
            return inner.is_global
        if parsed in _NAT64:
            return False
    return parsed.is_global and not parsed.is_multicast


def only_public_addresses(session: requests.Session, url: str) -> None:
    """Let the session reach public addresses only. An URL that names this machine itself stays as it is.

    The address is checked at the connection, so that a name whose address changes meanwhile gets through nowhere.
    With a proxy of the environment the proxy looks names up, and decides.
    """
    if not is_loopback(url):
        session.mount("https://", _PublicAdapter())


def is_private(error: BaseException) -> bool:
    """Return whether a request failed because its host has an address that is not public."""
    return any(isinstance(cause, NotPublic) for cause in causes(error))


class _PublicConnection(HTTPSConnection):
    """Connects to an address that was looked up and found public."""

    def _new_conn(self) -> socket.socket:
        try:
            found = socket.getaddrinfo(self._dns_host, self.port, type=socket.SOCK_STREAM)
        except (socket.gaierror, UnicodeError) as error:
            raise NewConnectionError(self, f"no address: {error}") from error
        addresses = [str(one[4][0]) for one in found]
        if not addresses or not all(is_public(address) for address in addresses):
            raise NotPublic(self, "its address is not public")
        self._dns_host = addresses[0]
        return super()._new_conn()


class NotPublic(NewConnectionError):
    """The host has an address that is not public."""


class _PublicPool(HTTPSConnectionPool):
    ConnectionCls = _PublicConnection


class _PublicAdapter(HTTPAdapter):
    def init_poolmanager(self, *args: Any, **more: Any) -> None:
        super().init_poolmanager(*args, **more)
        self.poolmanager.pool_classes_by_scheme = _POOLS


_POOLS: Mapping[str, Any] = {"https": _PublicPool}
