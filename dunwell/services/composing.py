"""Writes the text of one message about all of the invoices it carries, as firm as the firmest step among them."""

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType

from sqlalchemy.orm import Session

from dunwell.domain.clerk_answer import ClerkAnswer
from dunwell.domain.contact import Contact
from dunwell.services import asked_claims, joint_messages, message_facts, message_links
from dunwell.services.asked_claims import AskedClaim
from dunwell.services.dependencies import Dependencies
from dunwell.services.dispatch import Dispatch
from dunwell.services.joint_messages import firmness
from dunwell.store import invoices, payment_references
from dunwell.texts.catalogue import Composed, OtherInvoice, in_country
from dunwell.texts.formatting import AnswerWords


def lead_first(dispatch: Dispatch, others: Sequence[Dispatch]) -> list[Dispatch]:
    """The jobs of one message, the firmest first; the order is the same whichever case claims the message.

    Among equally firm ones the invoice that was due first leads.
    """
    jobs = sorted((dispatch, *others), key=lambda one: (one.case.due_on, one.case.invoice_id))
    lead = max(jobs, key=firmness)
    return [lead, *(one for one in jobs if one is not lead)]


def compose(
    session: Session,
    deps: Dependencies,
    jobs: Sequence[Dispatch],
    contact: Contact,
    language: str | None = None,
    more: Mapping[str, object] = MappingProxyType({}),
    asked: Sequence[AskedClaim | None] | None = None,
) -> Composed:
    """The text about all of `jobs`, the leading one first, by the amounts of this transaction.

    `language`: else the customer's. `more` are facts of the message itself, such as what is enclosed. `asked` is what
    it claims beside each invoice; None: it is computed here.
    """
    lead, *rest = jobs
    sender = (deps.sender.name, deps.sender.company, deps.sender.reply_to)
    served = lead.execution.served
    addressed = served[0] if served else contact
    known = message_facts.gather(
        session, lead.case, lead.customer, addressed, lead.execution, lead.policy, lead.calendar, lead.now, sender
    )
    asked = asked_claims.of_message(session, deps, jobs) if asked is None else asked
    claims, until = asked_claims.printed(asked)
    account, page_url = deps.sender.account_for(lead.case.currency), message_links.shown(deps)
    met = [bill_of(session, dispatch).number for dispatch in joint_messages.met_with(lead, rest)]
    update: dict[str, object] = {
        "met": (known.number, *met) if met else (),
        "holding": tuple(bill for bill in known.holding if bill.number not in met),
        "others": tuple(_beside(lead, dispatch, bill_of(session, dispatch)) for dispatch in rest),
        "beside": tuple(_others_of_group(lead, rest)),
        "claims": claims,
        "claim_until": until,
        "claim_provisional": any(one is not None and one.provisional for one in asked),
        "accruing": asked[0].accruing if asked[0] is not None else None,
        "short_url": _short_url(session, deps, lead),
        "page_url": page_url,
        "phone": deps.sender.phone,
        "reference": payment_references.reference_of(session, [one.case.invoice_id for one in jobs]),
        "iban": account.iban if account else None,
        "bic": account.bic if account else None,
    }
    if deps.asks_for_accessory(lead.execution.message):
        # The page behind the invoice's link asks for the invoice, which is paid.
        update |= {"settled": True, "payment_url": None, "short_url": None}
    if lead.execution.answer is not None:
        update["answer"] = answer_words(lead.execution.answer)
    known = known.model_copy(update=update | dict(more))
    spoken = deps.catalogue.spoken(language) if language else language_of(deps, lead)
    preface = _copy_label(deps, spoken, served) if served else ""
    return deps.catalogue.compose(str(lead.execution.message), spoken, known, preface=preface)


def answer_words(answer: ClerkAnswer) -> AnswerWords:
    """What a clerk's answer says, as a fact of its message."""
    return AnswerWords(phrases=answer.phrases, words=answer.words, subject=answer.subject)


def language_of(deps: Dependencies, dispatch: Dispatch) -> str:
    """The language to write to the customer in: their own if there are messages in it, else the ladder's.

    As it is written in their country, where it is spoken there.
    """
    return in_country(
        deps.catalogue.spoken(dispatch.customer.language, dispatch.policy.language), dispatch.customer.country
    )


def _short_url(session: Session, deps: Dependencies, dispatch: Dispatch) -> str | None:
    """The short payment link for an SMS; None where there is none."""
    row = invoices.get_row(session, dispatch.case.invoice_id)
    if row is None or deps.pay_links is None or row.pay_code is None or row.payment_url is None:
        return None
    link = deps.pay_links + row.pay_code
    return link if len(link) < len(row.payment_url) else None


def _copy_label(deps: Dependencies, language: str, served: tuple[Contact, ...]) -> str:
    """The sentence above a copy that says whose message it is."""
    return deps.catalogue.labels(language)["copy"].replace("{name}", ", ".join(one.name for one in served))


def _beside(lead: Dispatch, dispatch: Dispatch, bill: OtherInvoice) -> OtherInvoice:
    """The bill as it stands beside the leading one: with its customer, where that is another of the group."""
    if dispatch.customer.customer_id == lead.customer.customer_id:
        return bill
    return bill.model_copy(update={"number": f"{bill.number} ({dispatch.customer.name})"})


def _others_of_group(lead: Dispatch, rest: Sequence[Dispatch]) -> Iterable[str]:
    """The other customers of the group, in the order of their invoices."""
    return dict.fromkeys(dispatch.customer.name for dispatch in rest if dispatch.customer.name != lead.customer.name)


def bill_of(session: Session, dispatch: Dispatch) -> OtherInvoice:
    """The job's invoice with what may be asked for it now."""
    return message_facts.bill(session, dispatch.case)
