"""Who does something (a principal), in which role, and what each role may do."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum

from dunwell.domain.events import OF_LINK, PERSONAL_DECISIONS
from dunwell.domain.keys import ContactId
from dunwell.domain.links import Scope


class Right(StrEnum):
    """What somebody may do with one kind of thing. `read` sees it, `write` changes it."""

    INVOICES_READ = "invoices:read"
    INVOICES_WRITE = "invoices:write"
    PAYMENTS_READ = "payments:read"
    PAYMENTS_WRITE = "payments:write"
    CASES_READ = "cases:read"
    CASES_WRITE = "cases:write"
    TASKS_READ = "tasks:read"
    TASKS_WRITE = "tasks:write"
    MESSAGES_READ = "messages:read"
    MESSAGES_WRITE = "messages:write"
    CUSTOMERS_READ = "customers:read"
    CUSTOMERS_WRITE = "customers:write"
    POLICIES_READ = "policies:read"
    POLICIES_WRITE = "policies:write"
    APPROVALS_READ = "approvals:read"
    APPROVALS_WRITE = "approvals:write"
    WRITE_OFF_WRITE = "write_off:write"
    CANCEL_WRITE = "cancel:write"
    STATEMENTS_WRITE = "statements:write"
    LETTERS_READ = "letters:read"
    LETTERS_WRITE = "letters:write"
    FIGURES_READ = "figures:read"
    ACCESS_READ = "access:read"
    USERS_READ = "users:read"
    USERS_WRITE = "users:write"
    KEYS_READ = "keys:read"
    KEYS_WRITE = "keys:write"
    SETTINGS_READ = "settings:read"
    SETTINGS_WRITE = "settings:write"
    AUDIT_READ = "audit:read"

    @property
    def reads(self) -> bool:
        return self.value.endswith(":read")


class Role(StrEnum):
    """What a user or a key is for. A principal has one role."""

    ADMINISTRATOR = "administrator"
    MANAGER = "manager"
    AGENT = "agent"
    AUDITOR = "auditor"
    BILLING = "billing"
    PRODUCT = "product"


_READ = frozenset(right for right in Right if right.reads)
_ADMINISTRATION = frozenset(
    {
        Right.USERS_READ,
        Right.USERS_WRITE,
        Right.KEYS_READ,
        Right.KEYS_WRITE,
        Right.SETTINGS_READ,
        Right.SETTINGS_WRITE,
    }
)
_DECIDED_BY_MANAGERS = frozenset(
    {
        Right.APPROVALS_WRITE,
        Right.WRITE_OFF_WRITE,
        Right.CANCEL_WRITE,  # it gives up the whole claim, as a write-off does
        Right.POLICIES_WRITE,
        Right.AUDIT_READ,
        Right.STATEMENTS_WRITE,  # a statement tells more than an agent has to know
    }
)
_OF_ROLE: Mapping[Role, frozenset[Right]] = {
    Role.ADMINISTRATOR: frozenset(Right),
    Role.MANAGER: frozenset(Right) - _ADMINISTRATION,
    Role.AGENT: frozenset(Right) - _ADMINISTRATION - _DECIDED_BY_MANAGERS,
    Role.AUDITOR: _READ,
    Role.BILLING: frozenset(
        {
            Right.INVOICES_READ,
            Right.INVOICES_WRITE,
            Right.CANCEL_WRITE,  # a credit note or a void of the system that wrote the invoice
            Right.PAYMENTS_READ,
            Right.PAYMENTS_WRITE,
            Right.STATEMENTS_WRITE,
            Right.CASES_READ,  # the answer to a payment is the status of its case
        }
    ),
    Role.PRODUCT: frozenset({Right.ACCESS_READ}),
}

ON_REQUEST = ("write_off", "cancel")
"""Events that somebody without the right to tell them may ask for; a manager approves or declines."""

APPROVAL_OUTCOMES = frozenset({"approved", "declined"})
"""Outcomes of a task by which a step that waits for an approval is decided."""

_OF_EVENT: Mapping[str, Right] = {
    "payment_received": Right.PAYMENTS_WRITE,
    "payment_reversed": Right.PAYMENTS_WRITE,
    "credit_applied": Right.PAYMENTS_WRITE,
    "invoice_amended": Right.INVOICES_WRITE,
    "cancel": Right.CANCEL_WRITE,
    "write_off": Right.WRITE_OFF_WRITE,
    "call_outcome": Right.TASKS_WRITE,
    "policy_moved": Right.POLICIES_WRITE,
}

_OF_SCOPE: Mapping[str, Scope] = {
    "promise_to_pay": Scope.PROMISE,
    "payment_plan_agreed": Scope.PROMISE,
    "grace_granted": Scope.PROMISE,
    "dispute_opened": Scope.DISPUTE,
    "payment_announced": Scope.PAY,
    "call_requested": Scope.CONTACT,
}
"""What the holder of a link may tell a case, by the scope that it needs. Nothing else."""


def rights_of(role: Role) -> frozenset[Right]:
    """Return what a role may do."""
    return _OF_ROLE[role]


def right_for(event: str, content: Mapping[str, object] | None = None) -> Right:
    """Return the right that telling a case this event needs. Raises KeyError for one that people do not tell."""
    if event not in PERSONAL_DECISIONS:
        raise KeyError(event)
    if event == "call_outcome" and content is not None and content.get("outcome") in APPROVAL_OUTCOMES:
        return Right.APPROVALS_WRITE
    return _OF_EVENT.get(event, Right.CASES_WRITE)


class NotAllowed(Exception):
    """Somebody's role lacks a right, or they may not decide about this. The text says whom to ask."""

    @classmethod
    def for_want_of(cls, right: Right, role: Role) -> "NotAllowed":
        what, _, how = right.value.partition(":")
        return cls(f"The role {role.value} may not {how} {what.replace('_', '-')}: ask an administrator.")

    @classmethod
    def without_approval(cls, event: str, role: Role) -> "NotAllowed":
        return cls(
            f"The role {role.value} may not {event.replace('_', ' ')} an invoice without approval: ask a manager for "
            "it, on the page Approvals, with --ask at the command line or by POST /api/approvals."
        )

    @classmethod
    def for_want_of_scope(cls, event: str) -> "NotAllowed":
        return cls(f"This link does not allow {event.replace('_', ' ')}: answer the message instead.")


class PrincipalKind(StrEnum):
    """Where the word of a principal comes from.

    person   a user of the console, by session
    key      a program, by its API key
    command  somebody at the command line, who holds the credentials of the database
    engine   somebody who signals a case by Temporal directly
    provider a billing system or payment provider, by its signed webhook or when it is asked
    link     whoever holds the link of a message or of a restricted account
    system   Dunwell itself
    """

    PERSON = "person"
    KEY = "key"
    COMMAND = "command"
    ENGINE = "engine"
    PROVIDER = "provider"
    LINK = "link"
    SYSTEM = "system"


class ApprovalDecision(StrEnum):
    """What became of a request for approval. Whoever asked withdraws it; somebody else declines it.

    overtaken  the case ended before anybody decided: there is nothing left to approve
    """

    APPROVED = "approved"
    DECLINED = "declined"
    WITHDRAWN = "withdrawn"
    OVERTAKEN = "overtaken"


@dataclass(frozen=True)
class Principal:
    """Who does something.

    id          the user's id, the key's name, or for a command that of the user whose login it is, else the login; of
                a link its contact, or the customer whose account is restricted
    name        for people to read; may be personal, so it stays in the database and on pages
    role        None: of a link, which has scopes instead
    credential  the key, session or link that it came by
    """

    kind: PrincipalKind
    id: str
    name: str
    role: Role | None
    credential: str | None = None
    scopes: frozenset[Scope] = frozenset()

    @property
    def rights(self) -> frozenset[Right]:
        return rights_of(self.role) if self.role is not None else frozenset()

    def may(self, right: Right) -> bool:
        return right in self.rights

    def check(self, right: Right) -> None:
        """Raise NotAllowed when the role lacks the right."""
        if self.role is None:
            raise NotAllowed("This needs somebody who has signed in: a link does not allow it.")
        if not self.may(right):
            raise NotAllowed.for_want_of(right, self.role)

    def check_event(self, event: str, content: Mapping[str, object] | None = None) -> None:
        """Raise NotAllowed when the role may not tell a case this event; the text says if it may ask for it."""
        right = right_for(event, content)
        if self.role is not None and event in ON_REQUEST and not self.may(right) and self.may(Right.CASES_WRITE):
            raise NotAllowed.without_approval(event, self.role)
        self.check(right)

    def check_telling(self, event: str, content: Mapping[str, object]) -> None:
        """Raise NotAllowed when its role, or the scopes of a link, do not let it tell a case this event."""
        if event not in PERSONAL_DECISIONS:
            return
        if self.kind is not PrincipalKind.LINK:
            self.check_event(event, content)
        elif _OF_SCOPE.get(event) not in self.scopes:
            raise NotAllowed.for_want_of_scope(event)

    @property
    def label(self) -> str:
        """Return what events and timelines hold as `by`: never a personal name."""
        if self.kind is PrincipalKind.LINK:
            return self.name
        return self.id if self.kind in _NAMED_BY_ID else self.kind.value

    @property
    def author(self) -> str:
        """Return who decided, for a sentence; of users the id, in place of which pages show the name."""
        return "the command line" if self.kind is PrincipalKind.COMMAND else self.label


_NAMED_BY_ID = frozenset({PrincipalKind.PERSON, PrincipalKind.KEY, PrincipalKind.PROVIDER})


ENGINE = Principal(PrincipalKind.ENGINE, id="engine", name="the engine", role=Role.ADMINISTRATOR)
"""Whoever tells a case something by Temporal directly: the engine does not say who."""

SYSTEM = Principal(PrincipalKind.SYSTEM, id="dunwell", name="Dunwell", role=Role.ADMINISTRATOR)


def provider_principal(name: str) -> Principal:
    """Return a billing system as a principal. Whoever voids or writes off an invoice there has the right to do so."""
    return Principal(PrincipalKind.PROVIDER, id=name, name=name, role=Role.MANAGER)


def link_principal(link_id: str, customer_id: str, contact_id: str | None, scopes: Collection[Scope]) -> Principal:
    """Return the holder of a link: named by the contact's role and number, or as the page of a restricted account.

    Not by the customer's id, whose digits may look like a phone number; the case knows its customer.
    """
    name = "restriction page"
    if contact_id is not None:
        contact = ContactId.parse(contact_id)
        name = f"{OF_LINK}{contact.role}.{contact.number}"
    return Principal(
        PrincipalKind.LINK,
        id=contact_id or customer_id,
        name=name,
        role=None,
        credential=link_id,
        scopes=frozenset(scopes),
    )
