"""Links by which customers act without a login: made, found again by their tokens, and revoked."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from hmac import compare_digest
from secrets import token_hex

from sqlalchemy.orm import Session

from dunwell.domain.links import SAMPLE, KeptLink, LinkKind, Scope, expiry, hash_of, proof_of, token_of
from dunwell.domain.principals import Principal, link_principal
from dunwell.store import links
from dunwell.store.tables import LinkRow

PATHS = {LinkKind.PAGE: "/i", LinkKind.RESTRICTION: "/r"}
"""Where the web service shows what a link opens."""


@dataclass(frozen=True)
class Link:
    """A link that somebody holds. `invoice_ids`: what it opens; `expired`: it opens nothing any more."""

    link_id: str
    kind: LinkKind
    customer_id: str
    contact_id: str | None
    message_id: str | None
    invoice_ids: tuple[str, ...]
    scopes: frozenset[Scope]
    expired: bool

    @property
    def principal(self) -> Principal:
        """Whoever holds the link, as one who tells a case something."""
        return link_principal(self.link_id, self.customer_id, self.contact_id, self.scopes)


@dataclass(frozen=True)
class Links:
    """Makes and finds links. `origin` is the web service's public address; the first secret makes, all read."""

    origin: str
    secrets: Sequence[str] = field(repr=False)

    def issue(
        self,
        session: Session,
        kind: LinkKind,
        customer_id: str,
        now: datetime,
        *,
        contact_id: str | None = None,
        message_id: str | None = None,
        scopes: Collection[Scope] = frozenset(Scope),
    ) -> str:
        """Return the token of the link of this message, or of this account: the one that it has, or a new one."""
        if message_id is not None:
            row = links.of_message(session, message_id, kind)
        else:
            row = links.of_account(session, customer_id, kind) if contact_id is None else None
        token = self.token(row) if row is not None else None
        if token is not None:
            return token
        link_id = token_hex(16)
        token = token_of(self.secrets[0], kind, link_id)
        links.add(
            session,
            LinkRow(
                link_id=link_id,
                kind=kind,
                hash=hash_of(self.secrets[0], token),
                customer_id=customer_id,
                contact_id=contact_id,
                message_id=message_id,
                scopes=sorted(scope.value for scope in scopes),
                made_at=now,
            ),
        )
        return token

    def token(self, row: LinkRow | KeptLink) -> str | None:
        """Return the token of a link; None when the secret that made it is set no more."""
        tokens = [(secret, token_of(secret, row.kind, row.link_id)) for secret in self.secrets]
        return next((token for secret, token in tokens if hash_of(secret, token) == row.hash), None)

    def find(self, session: Session, token: str, kind: LinkKind, now: datetime) -> Link | None:
        """Return the link of this token; None for one that nobody made, that is not whole, or was revoked.

        The same work is done for every token.
        """
        row = links.find(session, [hash_of(secret, token) for secret in self.secrets], kind)
        opened = links.invoices(session, row)
        if row is None or row.revoked_at is not None:
            return None
        ends = expiry(row.made_at, (ended_at for _, ended_at in opened))
        return Link(
            link_id=row.link_id,
            kind=row.kind,
            customer_id=row.customer_id,
            contact_id=row.contact_id,
            message_id=row.message_id,
            invoice_ids=tuple(invoice_id for invoice_id, _ in opened),
            scopes=frozenset(map(Scope, row.scopes)),
            expired=ends is not None and ends <= now,
        )

    def ask_for_fresh(self, session: Session, token: str, kind: LinkKind, now: datetime) -> None:
        """Note that somebody asks for a new link with this token. The same work is done for every token."""
        links.ask_for_fresh(session, [hash_of(secret, token) for secret in self.secrets], kind, now)

    def prove(self, link: Link, said: str) -> str:
        """Return a proof that the holder of a link is told this, which nobody else can make."""
        return proof_of(self.secrets[0], link.link_id, said)

    def proves(self, link: Link, said: str, proof: str) -> bool:
        """Whether this proof was made for the link and what is said."""
        given = proof.encode("utf-8", "replace")
        return any(compare_digest(proof_of(secret, link.link_id, said).encode(), given) for secret in self.secrets)

    def address(self, kind: LinkKind, token: str = SAMPLE) -> str:
        """Return the address that a message shows; without a token the sample, which opens nothing of anybody."""
        return f"{self.origin}{PATHS[kind]}/{token}"
