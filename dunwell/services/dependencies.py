"""The clients that services use, made once by dunwell/bootstrap.py, and what they look up with them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol

from sqlalchemy.orm import Session

from dunwell.domain.business_calendar import BusinessCalendar
from dunwell.domain.case import Case
from dunwell.domain.channels import Channel
from dunwell.domain.invoice import Invoice
from dunwell.domain.jurisdiction import Jurisdiction
from dunwell.domain.policy import Policy, PolicyRef
from dunwell.gateways.base import BillingGateway, BusinessDays, MessageGateway, ProductGateway, RateLimit
from dunwell.gateways.opt_out_link import OptOutLinks
from dunwell.gateways.signed_post import SignedPost
from dunwell.services import contact_law
from dunwell.services.links import Links
from dunwell.services.mail_reading import ReplyAddresses
from dunwell.services.our_company import Letterhead, Sender
from dunwell.services.step_execution import StepExecution
from dunwell.store import invoices, policies
from dunwell.store.database import Database
from dunwell.texts.catalogue import Catalogue

_YEARS_AHEAD = timedelta(days=730)


class Place(contact_law.Debtor, Protocol):
    """Where business days are asked for: ISO 3166 country, IANA time zone."""

    @property
    def time_zone(self) -> str: ...


@dataclass(frozen=True)
class Dependencies:
    """Every client that a service may use.

    rate_limits     by the name of the provider
    agent_language  the language of our own people
    laws            the law of each country that is known, by its code
    billing         the billing systems that can be asked, by name
    webhook_post    posts to webhook subscribers
    unmatched_days  after so many days money that nobody could match with an invoice is a person's task
    reply_addresses where replies by mail reach us
    pay_links       what a short link to an invoice's payment page begins with; None: there are no such links
    links           makes and finds the links by which customers act without a login; None: messages have none
    """

    database: Database
    business_days: BusinessDays
    catalogue: Catalogue
    sender: Sender
    gateways: Mapping[Channel, MessageGateway]
    rehearsal_gateways: Mapping[Channel, MessageGateway]
    product: ProductGateway
    rehearsal_product: ProductGateway
    rate_limits: Mapping[str, RateLimit] = field(default_factory=dict)
    agent_language: str = "en"
    unmatched_days: int = 3
    opt_out: OptOutLinks | None = None
    reply_addresses: ReplyAddresses = field(default_factory=ReplyAddresses)
    pay_links: str | None = None
    links: Links | None = None
    webhook_post: SignedPost = field(default_factory=lambda: SignedPost(public=True))
    letterhead: Letterhead = field(default_factory=Letterhead)
    laws: Mapping[str, Jurisdiction] = field(default_factory=dict)
    billing: Mapping[str, BillingGateway] = field(default_factory=dict)
    _policies: dict[PolicyRef, Policy] = field(default_factory=dict)

    def gateway(self, channel: Channel, rehearsal: bool) -> MessageGateway:
        """A rehearsal has gateways of its own, so that it can never reach a real provider."""
        return (self.rehearsal_gateways if rehearsal else self.gateways)[channel]

    def product_gateway(self, rehearsal: bool) -> ProductGateway:
        """The gateway that publishes access to the product; a rehearsal has one that publishes nothing."""
        return self.rehearsal_product if rehearsal else self.product

    def policy(self, session: Session, ref: PolicyRef) -> Policy:
        """A version of a policy, read once. Raises LookupError when it is not in the database."""
        if ref not in self._policies:
            self._policies[ref] = policies.load(session, ref.name, ref.version)
        return self._policies[ref]

    def asks(self, execution: StepExecution) -> bool:
        """Whether the message of this step asks for money. Raises KeyError for a step without a message."""
        if execution.answer is not None:
            return execution.answer.asks
        return self.catalogue.traits[str(execution.message)].asks

    def presses(self, execution: StepExecution) -> bool:
        """Whether the step asks for money, or does something because none came."""
        return execution.ladder is not None or (execution.message is not None and self.asks(execution))

    def asks_for_accessory(self, message: str | None) -> bool:
        """Whether the message asks for what is left of interest and costs once the invoice is paid."""
        traits = self.catalogue.traits.get(message or "")
        return traits is not None and traits.accessory

    def calendar(self, customer: Place, policy: Policy, of: Case | Invoice, now: datetime) -> BusinessCalendar:
        """The customer's business days, from well before the invoice until long after now, in their law's hours."""
        window = (policy.window[0].strftime("%H:%M"), policy.window[1].strftime("%H:%M"))
        first = min(of.issued_on, of.due_on)
        start = min(first, now.date()) - timedelta(days=60)
        known = self.business_days.calendar(
            customer.country, customer.time_zone, window, start, max(first, now.date()) + _YEARS_AHEAD
        )
        return contact_law.within_hours(known, contact_law.rule_for(self.laws, customer, now.date()))

    def case_calendar(self, session: Session, case: Case, now: datetime) -> BusinessCalendar:
        """The same for a case. Raises LookupError when its customer or its policy is not in the database."""
        place = invoices.customer_row(session, case.customer_id)
        return self.calendar(place, self.policy(session, case.policy), case, now)
