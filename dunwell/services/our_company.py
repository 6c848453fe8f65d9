"""Who we are on what we write: the sender of every message, our bank accounts, and how our letters look."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

WindowSide = Literal["left", "right"]

_WINDOW_ON_THE_RIGHT = frozenset({"FR", "GF", "GP", "MC", "MQ", "NC", "PF", "RE", "YT"})
"""Countries, by ISO 3166-1, whose usual envelopes have their window on the right: France and those that follow it."""


def usual_window(country: str | None) -> WindowSide:
    """Return the side of the window in the usual envelopes of a country."""
    return "right" if country in _WINDOW_ON_THE_RIGHT else "left"


@dataclass(frozen=True)
class BankAccount:
    """Where debtors transfer to; both without spaces."""

    iban: str
    bic: str | None = None


@dataclass(frozen=True)
class Sender:
    """The human who signs, where answers go, and where the money goes.

    account   for every currency that has none of its own in `accounts`
    country   whose law governs claims against businesses when the invoice names none; None: no law is chosen
    privacy_url  our privacy notice, for private customers
    """

    name: str
    company: str
    reply_to: str | None = None
    phone: str | None = None
    account: BankAccount | None = None
    accounts: Mapping[str, BankAccount] = field(default_factory=dict)
    country: str | None = None
    privacy_url: str | None = None

    def account_for(self, currency: str) -> BankAccount | None:
        return self.accounts.get(currency, self.account)


@dataclass(frozen=True)
class Letterhead:
    """How our letters look, whoever gets them.

    address    our postal address, line by line; empty leaves it out
    paper      "a4" or "us-letter"; None goes by the debtor's country
    window     the side of the envelope's window, on A4
    addressed  whether the address is printed; False where the printing service puts it on the page
    post_days  how many days more than others a letter may take to be confirmed: those of the post, where it
               leaves by itself; none where a person posts it
    """

    address: tuple[str, ...] = ()
    paper: str | None = None
    window: WindowSide = "left"
    addressed: bool = True
    post_days: int = 0
