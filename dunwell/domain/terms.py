"""Enumerations of the field's terms. Their values stand in the database, in Temporal histories and in files."""

from enum import StrEnum


class Stage(StrEnum):
    """The state of a case. The last four are ends."""

    SCHEDULED = "scheduled"
    CHASING = "chasing"
    PROMISED = "promised"
    PLAN = "plan"
    DISPUTED = "disputed"
    PAUSED = "paused"
    LEGAL = "legal"
    PAID = "paid"
    WRITTEN_OFF = "written_off"
    CANCELLED = "cancelled"
    HANDED_OVER = "handed_over"

    @property
    def ended(self) -> bool:
        return self in ENDS


ENDS = frozenset({Stage.PAID, Stage.WRITTEN_OFF, Stage.CANCELLED, Stage.HANDED_OVER})


class Access(StrEnum):
    """What the debtor's account may do."""

    FULL = "full"
    RESTRICTED = "restricted"
    SUSPENDED = "suspended"


class Level(StrEnum):
    """What a hold does to an account: two lower its access, `work` only stops the next milestone."""

    RESTRICTED = "restricted"
    SUSPENDED = "suspended"
    WORK = "work"


class Role(StrEnum):
    """Who a contact is to the debtor's company; `account_manager` is ours."""

    ACCOUNTS_PAYABLE = "accounts_payable"
    USER = "user"
    MANAGER = "manager"
    EXECUTIVE = "executive"
    ACCOUNT_MANAGER = "account_manager"


class DebtorKind(StrEnum):
    """Who owes: a company, a private person, or a public body. Whoever did not say counts as a private person."""

    BUSINESS = "business"
    CONSUMER = "consumer"
    PUBLIC = "public"


class Head(StrEnum):
    """A part of what is owed; a customer may name the one that a payment is for."""

    PRINCIPAL = "principal"
    INTEREST = "interest"
    LUMP_SUM = "lump_sum"
    COSTS = "costs"


class AccessoryRule(StrEnum):
    """What becomes of interest, lump sum and costs that are left once the principal is paid.

    waive     they are let go
    bill      a person is asked to bill them
    ask_once  one message asks for them, and what is not paid of them is let go
    """

    WAIVE = "waive"
    BILL = "bill"
    ASK_ONCE = "ask_once"


class MessageState(StrEnum):
    """A row of the outbox. `claimed` means: decided, and not yet known to be accepted by a provider."""

    CLAIMED = "claimed"
    ACCEPTED = "accepted"
    DELIVERED = "delivered"
    BOUNCED = "bounced"
    FAILED = "failed"
    UNKNOWN = "unknown"
    WITHHELD = "withheld"


TAKEN_STATES = frozenset({MessageState.ACCEPTED, MessageState.DELIVERED})
"""States of a message that a provider has, and that was not returned."""

DEAD_STATES = frozenset({MessageState.BOUNCED, MessageState.FAILED, MessageState.WITHHELD})
"""States after which the same contact and channel will not get this message any more."""


class PromiseState(StrEnum):
    OPEN = "open"
    KEPT = "kept"
    BROKEN = "broken"
    REPLACED = "replaced"


class ProviderCall(StrEnum):
    """What is known of the call that hands a message to its provider. `refused`: surely not taken."""

    BEGUN = "begun"
    REFUSED = "refused"
    ANSWERED = "answered"


class TaskKind(StrEnum):
    """What a person has to do: a contact, or a decision; `approval` of a step or of one more try."""

    CALL = "call"
    VISIT = "visit"
    MEETING = "meeting"
    DECISION = "decision"
    APPROVAL = "approval"


CONTACT_TASKS = frozenset({TaskKind.CALL, TaskKind.VISIT, TaskKind.MEETING})
"""Tasks that are a contact: each is named as the channel it goes by."""


class TaskState(StrEnum):
    OPEN = "open"
    DONE = "done"
    WITHDRAWN = "withdrawn"


class PayerState(StrEnum):
    """What became of somebody whom a customer named as the one who pays.

    asked     a person of ours decides first whether they are written to
    due       they are written to as soon as it is decent
    claimed   a provider was called, and its answer is not known yet
    declined  a person decided that they are not written to
    withheld  nothing is open any more, or the address takes no mail
    """

    ASKED = "asked"
    DUE = "due"
    CLAIMED = "claimed"
    SENT = "sent"
    BOUNCED = "bounced"
    FAILED = "failed"
    UNKNOWN = "unknown"
    DECLINED = "declined"
    WITHHELD = "withheld"


class Late(StrEnum):
    """What a step does when its time passed while nobody could act."""

    SEND = "send"
    SKIP = "skip"
    SHIFT = "shift"
