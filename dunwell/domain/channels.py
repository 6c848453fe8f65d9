"""The channels by which people are reached. A channel is one row: all that the rest of the code knows of it.

Nothing outside this table and the registry of providers asks which channel it has. Code asks for a fact, or goes by
the form of the text.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from dunwell.domain.contact_limits import ContactForm


class AddressKind(StrEnum):
    """What a channel has to know of a contact. The value is the contact's field that holds it."""

    MAILBOX = "email"
    NUMBER = "phone"
    POSTAL = "post"


class TextForm(StrEnum):
    """The shape in which a message is said.

    MAIL    subject, text and HTML, with headers, attachments and a link that stops e-mails
    SHORT   a few sentences without a subject
    PAPER   a PDF with our letterhead and the debtor's address
    SPOKEN  a call script for one of our people
    """

    MAIL = "mail"
    SHORT = "short"
    PAPER = "paper"
    SPOKEN = "spoken"


@dataclass(frozen=True)
class Facts:
    """One row.

    label         the channel's name in sentences for our people
    form, address what is said there, and to what kind of address
    stop          what a person who says STOP there closes: every channel with the same word; None where nobody can
    capped_calls  its contacts count as calls, of which a ladder allows so many a week
    posted        somebody carries it to the post: acceptance is no sending, and until then it can be taken back
    carries_group one message there may speak of invoices of other customers of the group
    copies        copies for information go this way
    answers       an answer that no step of the ladder describes, such as a receipt, may go this way
    after_stop    a person's answer to what somebody wrote after their STOP may go this way: they want no more of what
                  we send of ourselves. Elsewhere the carrier delivers nothing after it
    tariffs       sending to some numbers is so dear, or so useless, that it is not done
    consent       the contact's field with the person's consent, without which nothing is sent; None needs none
    free_for      how long after a person's last message there any text may be sent, and only approved ones otherwise;
                  None: any text at any time
    """

    label: str
    form: TextForm
    address: AddressKind
    stop: str | None = None
    capped_calls: bool = False
    posted: bool = False
    carries_group: bool = False
    copies: bool = False
    answers: bool = False
    after_stop: bool = False
    tariffs: bool = False
    consent: str | None = None
    free_for: timedelta | None = None

    @property
    def by_person(self) -> bool:
        """Whether one of our people does it: each contact is a task of that kind."""
        return self.form is TextForm.SPOKEN

    @property
    def written(self) -> bool:
        """Whether it leaves something to read, so that its delivery proves a warning."""
        return not self.by_person

    @property
    def counts_as(self) -> ContactForm:
        """As what the limits of a law count its contacts."""
        if self.by_person:
            return ContactForm.CALLS if self.capped_calls else ContactForm.VISITS
        return ContactForm.LETTERS if self.form is TextForm.PAPER else ContactForm.MESSAGES

    @property
    def closable(self) -> bool:
        """Whether addresses are closed for it: a bounce, STOP or a wrong number."""
        return self.written or self.capped_calls


_MAIL, _SHORT, _PAPER, _SPOKEN = TextForm
_MAILBOX, _NUMBER, _POSTAL = AddressKind


class Channel(StrEnum):
    """A way to a person. The value stands in ladder files, in the database and in the history.

    Where several are listed, they stand in this order.
    """

    _value_: str
    facts: Facts

    def __new__(cls, value: str, *row: Facts) -> "Channel":
        member = str.__new__(cls, value)
        member._value_, (member.facts,) = value, row
        return member

    EMAIL = (
        "email",
        Facts(
            "e-mail", _MAIL, _MAILBOX, stop="e-mails", carries_group=True, copies=True, answers=True, after_stop=True
        ),
    )
    SMS = "sms", Facts("SMS", _SHORT, _NUMBER, stop="texts", answers=True, tariffs=True)
    WHATSAPP = (
        "whatsapp",
        Facts(
            "WhatsApp",
            _SHORT,
            _NUMBER,
            stop="texts",
            answers=True,
            consent="whatsapp_opt_in",
            free_for=timedelta(hours=23, minutes=55),  # of 24 hours, so that a message in flight is in time
        ),
    )
    CALL = "call", Facts("call", _SPOKEN, _NUMBER, capped_calls=True)
    LETTER = "letter", Facts("letter", _PAPER, _POSTAL, posted=True)
    VISIT = "visit", Facts("visit", _SPOKEN, _POSTAL)
    MEETING = "meeting", Facts("meeting", _SPOKEN, _NUMBER)


WRITTEN = frozenset(channel for channel in Channel if channel.facts.written)
"""The channels that leave something to read."""

BY_PERSON = frozenset(channel for channel in Channel if channel.facts.by_person)
"""Channels that a person of ours walks: each of their contacts is a task of that kind."""

CLOSABLE = tuple(channel for channel in Channel if channel.facts.closable)
POSTED = tuple(channel for channel in Channel if channel.facts.posted)
CAPPED_CALLS = tuple(channel for channel in Channel if channel.facts.capped_calls)
COPIES_BY = tuple(channel for channel in Channel if channel.facts.copies)


def stopped_with(channel: Channel) -> tuple[Channel, ...]:
    """The channels that STOP on `channel` closes at the same address, and START opens again."""
    stop = channel.facts.stop
    return (channel, *(other for other in Channel if other is not channel and stop and other.facts.stop == stop))


def in_form(form: TextForm) -> tuple[Channel, ...]:
    """The channels whose messages have this form."""
    return tuple(channel for channel in Channel if channel.facts.form is form)


def closed_by_wrong_number() -> tuple[Channel, ...]:
    """The channels that serve a telephone number: once it is known to be another person's, all of them close."""
    return tuple(channel for channel in CLOSABLE if channel.facts.address is AddressKind.NUMBER)


def answers_by(ladder: Iterable[Channel]) -> tuple[Channel, ...]:
    """How an answer goes that no step describes: as the ladder's steps go, in their order, then by what is left.

    A channel that asks for consent is used only where the ladder does.
    """
    preferred = (channel for channel in ladder if channel.facts.answers)
    others = (channel for channel in Channel if channel.facts.answers and channel.facts.consent is None)
    return tuple(dict.fromkeys((*preferred, *others)))
