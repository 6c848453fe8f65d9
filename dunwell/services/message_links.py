"""The link that each message carries to the page on which its reader answers without a login.

A message is composed and stored with the sample address. The real one is put in when it is handed to the provider.
"""

from dataclasses import replace

from sqlalchemy.orm import Session

from dunwell.domain.channels import TextForm
from dunwell.domain.contact import Contact
from dunwell.domain.links import LinkKind, Scope
from dunwell.domain.terms import Role
from dunwell.gateways.base import Envelope
from dunwell.services.dependencies import Dependencies
from dunwell.services.dispatch import Dispatch
from dunwell.store import links
from dunwell.store.tables import MessageRow


def shown(deps: Dependencies) -> str | None:
    """Return the sample address, which stands in every text before it leaves; None where messages have no links."""
    return deps.links.address(LinkKind.PAGE) if deps.links is not None else None


def issue(session: Session, deps: Dependencies, dispatch: Dispatch, row: MessageRow, contact: Contact) -> str | None:
    """Make the link of this message, unless it has one, and return its address.

    None for a rehearsal, which keeps the sample that opens nothing, and where messages have no links.
    """
    if deps.links is None or dispatch.rehearsal:
        return None
    token = deps.links.issue(
        session,
        LinkKind.PAGE,
        row.customer_id,
        dispatch.now,
        contact_id=row.contact_id,
        message_id=row.message_id,
        scopes=_scopes(dispatch, row, contact),
    )
    return deps.links.address(LinkKind.PAGE, token)


def address(session: Session, deps: Dependencies, message_id: str) -> str | None:
    """Return the address of the page that this message leads to; None when it has no link of its own."""
    row = links.of_message(session, message_id, LinkKind.PAGE, revoked=True) if deps.links is not None else None
    token = deps.links.token(row) if deps.links is not None and row is not None else None
    return deps.links.address(LinkKind.PAGE, token) if deps.links is not None and token is not None else None


def filled(deps: Dependencies, envelope: Envelope, own: str | None) -> Envelope:
    """Return the message with its own address, if it has one, in place of the sample."""
    sample = shown(deps)
    if sample is None or own is None:
        return envelope
    return replace(
        envelope,
        text=envelope.text.replace(sample, own),
        html=envelope.html.replace(sample, own) if envelope.html is not None else None,
        values=tuple(value.replace(sample, own) for value in envelope.values),
    )


def _scopes(dispatch: Dispatch, row: MessageRow, contact: Contact) -> frozenset[Scope]:
    """Whoever reads a copy, and our own people, may look. Only e-mails can be stopped from a page."""
    if dispatch.execution.served or contact.role is Role.ACCOUNT_MANAGER:
        return frozenset({Scope.SEE})
    return frozenset(Scope) - (frozenset() if row.channel.facts.form is TextForm.MAIL else {Scope.STOP})
