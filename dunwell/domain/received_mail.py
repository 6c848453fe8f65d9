"""A mail that somebody sent to us, in the one form into which every provider's webhook is translated."""

from hashlib import sha256

from dunwell.domain.model import Value


class ReceivedFile(Value):
    """A file of a mail, under the name that its sender gave it."""

    name: str
    content: bytes


class ReceivedMail(Value):
    """A mail as it came in; nothing in it is trusted.

    sender        the address it says it is from; "" when it says none
    return_path   where bounces of it would go; "" when nowhere; None when the provider does not say
    recipients    the addresses it was delivered to
    headers       names in small letters, decoded, in their order
    verdicts      what the provider found out about the sender
    """

    sender: str = ""
    sender_name: str = ""
    return_path: str | None = None
    recipients: tuple[str, ...] = ()
    subject: str = ""
    text: str = ""
    html: str = ""
    headers: tuple[tuple[str, str], ...] = ()
    files: tuple[ReceivedFile, ...] = ()
    verdicts: dict[str, str] = {}

    def header(self, name: str) -> str:
        """The first header of this name; "" without one."""
        return next((value for known, value in self.headers if known == name), "")

    @property
    def digest(self) -> str:
        """The same for each delivery of the same mail."""
        found = sha256()
        parts = (self.header("message-id"), self.sender, self.subject, self.text, self.html)
        for part in (*(one.encode("utf-8", "replace") for one in parts), *(file.content for file in self.files)):
            found.update(len(part).to_bytes(8, "big") + part)
        return found.hexdigest()


class ReadMail(Value):
    """What a received mail was found to be.

    whole      all of its text; what is new in it stands in the event
    mail_id    its own Message-ID; references: those of the mails before it
    tokens     of the reply addresses that it was sent to; of_token: the message whose address one of them is
    answers    the ids of our messages that it names as those it answers, the nearest first
    automatic  why no person wrote it; None: a person did
    only_stop  it asks for no more mails, and says nothing else
    """

    subject: str
    whole: str
    sender_name: str = ""
    mail_id: str | None = None
    references: str | None = None
    tokens: tuple[str, ...] = ()
    of_token: str | None = None
    answers: tuple[str, ...] = ()
    automatic: str | None = None
    only_stop: bool = False
    verdicts: dict[str, str] = {}
    files: tuple[ReceivedFile, ...] = ()
