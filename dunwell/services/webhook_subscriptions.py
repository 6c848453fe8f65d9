"""Webhook subscriptions: added, removed and tried by an administrator."""

from collections.abc import Sequence
from datetime import datetime
from ipaddress import ip_address
from secrets import token_hex, token_urlsafe
from urllib.parse import urlsplit

from sqlalchemy.orm import Session

from dunwell.domain.cleaning import is_clean, printable
from dunwell.domain.notifications import TOPICS, Topic
from dunwell.domain.principals import Principal
from dunwell.domain.refusal import Refused
from dunwell.gateways.http import is_loopback
from dunwell.gateways.public_address import is_public
from dunwell.store import audit, notifications, subscriptions
from dunwell.store.tables import SubscriptionRow

_MOST = 20
_LONGEST_URL = 2_000


def subscribe(
    session: Session, url: str, topics: Sequence[str], principal: Principal, now: datetime, *, private: bool
) -> SubscriptionRow:
    """Add a subscription with a new secret, audited. `private`: addresses that are not public are permitted.

    Raises Refused for an address or a topic that cannot be, and for more than 20 subscriptions.
    """
    _check_url(url, private=private)
    wanted = _topics(topics)
    every = subscriptions.every(session)
    if len(every) >= _MOST:
        raise Refused("url", f"there are {_MOST} subscriptions already: remove one first")
    row = SubscriptionRow(
        subscription_id=f"sub_{token_hex(8)}",
        url=url,
        secret=f"whsec_{token_urlsafe(32)}",
        topics=[topic.value for topic in wanted],
        rehearsals=is_loopback(url),
        by=principal.id,
        at=now,
    )
    subscriptions.add(session, row)
    details = {"host": host_of(row), "events": row.topics}
    audit.append(session, principal, _object(row), "webhook_added", now, key="added", details=details)
    return row


def unsubscribe(session: Session, subscription_id: str, principal: Principal, now: datetime) -> None:
    """Remove a subscription with all that it was to be told, audited. Raises Refused when there is none."""
    row = find(session, subscription_id)
    audit.append(session, principal, _object(row), "webhook_removed", now, key="removed")
    subscriptions.remove(session, row)


def resend(session: Session, subscription_id: str, principal: Principal, now: datetime) -> int:
    """Send what failed again, for another three days, audited. Returns how many those are.

    Raises Refused when there is no such subscription.
    """
    row = find(session, subscription_id)
    count = notifications.resend_failed(session, row.subscription_id, now)
    key = f"resent.{now.isoformat()}"
    audit.append(session, principal, _object(row), "webhook_resent", now, key=key, details={"count": count})
    return count


def find(session: Session, subscription_id: str) -> SubscriptionRow:
    """Raises Refused when there is no such subscription."""
    row = subscriptions.get(session, subscription_id) if is_clean(subscription_id) else None
    if row is None:
        raise Refused(
            "subscription", f"{printable(subscription_id)!r} is not known; `starter.py webhook list` has them"
        )
    return row


def _object(row: SubscriptionRow) -> str:
    return f"webhook/{row.subscription_id}"


def host_of(row: SubscriptionRow) -> str:
    """Return the host of a subscription's address, which is all that findings and errors show of it."""
    return urlsplit(row.url).hostname or ""


def _topics(names: Sequence[str]) -> list[Topic]:
    known = ", ".join(TOPICS)
    unknown = [name for name in names if name not in TOPICS]
    if unknown:
        raise Refused("events", f"{printable(unknown[0])!r} is no event; known are {known}")
    return [topic for topic in TOPICS if topic in names] or list(TOPICS)


def _check_url(url: str, *, private: bool) -> None:
    if len(url) > _LONGEST_URL or not url.isascii() or not is_clean(url) or " " in url:
        raise Refused("url", f"must be at most {_LONGEST_URL} characters of ASCII without spaces")
    if is_loopback(url):
        return
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise Refused("url", "is no address: write it like https://billing.example.com/dunwell") from None
    if parts.scheme != "https" or not host:
        raise Refused("url", "must begin with https:// and a host; http:// only to this machine, as 127.0.0.1")
    if "@" in parts.netloc or parts.fragment:
        raise Refused("url", "must not hold a user, a password or a fragment: requests are signed instead")
    if not private and _is_private(host):
        raise Refused("url", "names an address that is not public: set WEBHOOK_PRIVATE_ADDRESSES=true to permit it")


def _is_private(host: str) -> bool:
    """Return whether the host is an address that is not public. Names are looked up when something is sent."""
    try:
        ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return not is_public(host)
