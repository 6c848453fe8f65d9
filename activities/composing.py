"""Writes the text of one message, in the firmest register due, about all of the invoices it carries."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from sqlalchemy.orm import Session

from activities import facts
from activities.companions import firmness
from activities.desk import Desk
from activities.job import Job
from activities.wording import Composed, OtherInvoice, in_country
from domain.invoice import Contact
from store import invoices


def lead_first(job: Job, others: Sequence[Job]) -> list[Job]:
    """The jobs of one message, the one in whose register it is written at the head; the same whoever claims it.

    Of equally firm ones the invoice leads that was due first.
    """
    jobs = sorted((job, *others), key=lambda one: (one.case.due_on, one.case.invoice_id))
    lead = max(jobs, key=firmness)
    return [lead, *(one for one in jobs if one is not lead)]


def compose(
    session: Session,
    desk: Desk,
    jobs: Sequence[Job],
    contact: Contact,
    language: str | None = None,
    more: Mapping[str, object] = MappingProxyType({}),
) -> Composed:
    """The words about all of `jobs`, the leading one first, by the figures of this very transaction.

    `language`: else the customer's. `more` are facts of the message itself, such as what is enclosed.
    """
    lead, *rest = jobs
    sender = (desk.sender.name, desk.sender.company, desk.sender.reply_to)
    served = lead.errand.served
    addressed = served[0] if served else contact
    known = facts.gather(
        session, lead.case, lead.customer, addressed, lead.errand, lead.policy, lead.calendar, lead.now, sender
    )
    account = desk.sender.account_for(lead.case.currency)
    update = {
        "others": tuple(_beside(lead, job, bill_of(session, job)) for job in rest),
        "short_url": _short_url(session, desk, lead),
        "phone": desk.sender.phone,
        "iban": account.iban if account else None,
        "bic": account.bic if account else None,
    }
    known = known.model_copy(update=update | dict(more))
    spoken = desk.catalogue.spoken(language) if language else tongue(desk, lead)
    preface = _copy_label(desk, spoken, served) if served else ""
    return desk.catalogue.compose(str(lead.errand.message), spoken, known, preface=preface)


def tongue(desk: Desk, job: Job) -> str:
    """The language to write to the customer in: their own if there are messages in it, else the ladder's.

    As it is written in their country, where it is spoken there.
    """
    return in_country(desk.catalogue.spoken(job.customer.language, job.policy.language), job.customer.country)


def _short_url(session: Session, desk: Desk, job: Job) -> str | None:
    """A link that spares characters; None where there is no shorter one."""
    row = invoices.get_row(session, job.case.invoice_id)
    if row is None or desk.pay_links is None or row.pay_code is None or row.payment_url is None:
        return None
    link = desk.pay_links + row.pay_code
    return link if len(link) < len(row.payment_url) else None


def _copy_label(desk: Desk, language: str, served: tuple[Contact, ...]) -> str:
    """The sentence above a copy that says whose message it is."""
    return desk.catalogue.labels(language)["copy"].replace("{name}", ", ".join(one.name for one in served))


def _beside(lead: Job, job: Job, bill: OtherInvoice) -> OtherInvoice:
    """The bill as it stands beside the leading one: with its customer, where that is another of the group."""
    if job.customer.customer_id == lead.customer.customer_id:
        return bill
    return bill.model_copy(update={"number": f"{bill.number} ({job.customer.name})"})


def bill_of(session: Session, job: Job) -> OtherInvoice:
    """The job's invoice with what may be asked for it now."""
    return facts.bill(session, job.case)
