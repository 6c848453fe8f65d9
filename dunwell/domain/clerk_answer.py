"""A clerk's answer to what a customer wrote: phrases of the catalogue, then words of the clerk's own."""

from enum import StrEnum

from dunwell.domain.channels import Channel
from dunwell.domain.keys import StepId
from dunwell.domain.model import Value

CLERK_ANSWER = "clerk-answer"
"""The name of its message in the outbox. No ladder has it."""


class Phrase(StrEnum):
    """A phrase of the catalogue, which fills in the facts of the case."""

    THANKS = "thanks-for-writing"
    SORRY = "sorry"
    LOOK = "we-look-into-it"
    COPY = "here-is-the-copy"
    DATE = "please-name-a-date"
    FOUND = "payment-found"
    NOT_FOUND = "payment-not-found"
    OUTCOME = "dispute-outcome"
    WHO = "who-to-contact"
    GOODBYE = "goodbye"

    @property
    def asks(self) -> bool:
        """Whether it asks for money that is open, so that it must not be said once the invoice is paid."""
        return self in {Phrase.DATE, Phrase.NOT_FOUND, Phrase.OUTCOME}


class ClerkAnswer(Value):
    """An answer to the reply `reply_id`, sent by the case of `invoice_id` to the contact who wrote.

    asks             whether it may ask for money: a phrase does, or it has words of the clerk's own about an open
                     invoice. It is then not sent once the invoice is paid
    subject          of the e-mail that it answers; empty for none
    mail_id          the Message-ID of that e-mail
    message_id       our message that it answered
    """

    answer_id: str
    reply_id: str
    invoice_id: str
    contact_id: str
    channel: Channel
    phrases: tuple[Phrase, ...]
    words: str = ""
    asks: bool
    subject: str = ""
    mail_id: str | None = None
    message_id: str | None = None

    @property
    def step(self) -> str:
        """The id of the step that sends it."""
        return str(StepId(name=StepId.ANSWER, occasion=self.answer_id, agreed=True))

    @property
    def encloses(self) -> bool:
        """Whether the document of the invoice goes with it."""
        return Phrase.COPY in self.phrases
