"""What a customer says on their page: each form becomes the events that a clerk's form would tell the cases.

Whatever a case would refuse is refused here first, in the customer's language and with what is possible.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

from dunwell.domain.links import Scope
from dunwell.domain.self_service import Every, plan, shares
from dunwell.intake.currencies import Currency
from dunwell.services.payers import NamedPayer
from dunwell.views.customer_page import Bill, CustomerPage
from dunwell.web.customer import kept
from dunwell.web.customer.rendering import Writer
from dunwell.web.customer.sent_once import Kept
from dunwell.web.customer.typed import Fault, Reader, SentFile, Unfit

ALL = "all"
ON_FILE, OTHER = "on-file", "other"
REASONS: Mapping[str, str] = {
    "not-delivered": "wrong_not_delivered",
    "quality": "wrong_quality",
    "price": "wrong_price",
    "not-ordered": "wrong_not_ordered",
    "twice": "wrong_twice",
    "details": "wrong_details",
    "other": "wrong_other",
}
"""The reasons of a dispute: the code that the case gets, and the word that the customer reads."""


@dataclass(frozen=True)
class Telling:
    """What a case is told. `note`: what the customer typed, which stays in the database."""

    invoice_id: str
    event: str
    content: Mapping[str, Any]
    note: str | None = None


@dataclass(frozen=True)
class Act:
    """What a form came to.

    done   the word that confirms it
    file   goes with the dispute that is told
    payer  somebody else who pays; about: which invoice
    wish   what a person of ours is asked to answer
    stops  no more e-mails go to the address of the message
    """

    done: str
    tellings: Sequence[Telling] = ()
    file: SentFile | None = None
    payer: NamedPayer | None = None
    about: str = ""
    wish: str = ""
    stops: bool = False


@dataclass(frozen=True)
class Form:
    """A form that came in, with the page that it belongs to.

    `by`: whose link sent it. `now`: when it first came in, which is the time of the page.
    """

    reader: Reader
    page: CustomerPage
    writer: Writer
    by: str
    now: datetime

    def chosen(self, able: Callable[[Bill], bool], *, several: bool = False) -> list[Bill]:
        """The invoices that the form is about: those that it names. Only of a page of one invoice may it name none.

        Raises Unfit when it can be about none any more, or not about the one that it names: the page was loaded
        before, and no other invoice takes its place.
        """
        bills = able_bills(self.page, able)
        wanted = self.reader.typed("which")
        if bills and ((several and wanted == ALL) or (len(self.page.bills) == 1 and not wanted)):
            return bills
        chosen = [bill for bill in bills if bill.invoice_id == wanted]
        if not chosen and len(bills) > 1 and wanted in {"", ALL}:
            self.reader.bad("which", "need_choice")
        elif not chosen:
            raise Unfit({"form": Fault("not_now")})
        return chosen

    def first_open(self) -> list[Bill]:
        """The invoice that a form is about which is about no certain one. Raises Unfit when none is open any more."""
        if not self.page.open:
            raise Unfit({"form": Fault("not_now")})
        return self.page.open[:1]

    def days_between(self, name: str, first: date, last: date) -> None:
        self.reader.bad(name, "day_between", first=self.writer.day(first), last=self.writer.day(last))

    def amount_of(self, name: str, bills: Sequence[Bill]) -> str | None:
        """A part of what is open, as an event holds it; None for all of it. A part is one of a single invoice."""
        if len(bills) != 1:
            if self.reader.typed(name):
                self.reader.bad("which", "need_choice")
            return None
        bill = bills[0]
        found = self.reader.amount(name, Currency(bill.currency, bill.digits))
        if found is not None and found > bill.open:
            self.reader.bad(name, "amount_most", amount=self.writer.money(bill.open, bill.currency, bill.digits))
        return str(found) if found is not None and found != bill.open else None


def able_bills(page: CustomerPage, able: Callable[[Bill], bool]) -> list[Bill]:
    """The open invoices of a page about which a form can be sent."""
    return [bill for bill in page.open if able(bill)]


def may_promise(bill: Bill) -> bool:
    return bill.promise_days is not None


def may_split(bill: Bill) -> bool:
    return bool(bill.counts)


def may_wish(bill: Bill) -> bool:
    """Whether instalments may be asked for: no plan can be chosen or runs, and no other wish waits for an answer."""
    return not bill.counts and not bill.instalments and not bill.awaits_reply


def may_dispute(bill: Bill) -> bool:
    return not bill.in_dispute


def any_open(_: Bill) -> bool:
    return True


def promise(form: Form) -> Act:
    """ "I will pay on": a promise for one invoice, or for all of them."""
    bills = form.chosen(may_promise, several=True)
    day = form.reader.day("day")
    amount = form.amount_of("amount", bills)
    for bill in bills:
        days = bill.promise_days
        if day is not None and days is not None and not days.hold(day):
            form.days_between("day", *days)
    form.reader.check()
    content = {"date": f"{day}", "promised_by": form.by, "via": "page"} | _given(amount=amount)
    return Act("promise_done", [Telling(bill.invoice_id, "promise_to_pay", content) for bill in bills])


def split(form: Form) -> Act:
    """ "I want to pay in instalments": a plan within the policy's rules."""
    bills = form.chosen(may_split)
    counts = {str(count) for bill in bills for count in bill.counts}
    count = form.reader.choice("parts", counts)
    every = form.reader.choice("every", [one.value for one in Every])
    first = form.reader.day("first")
    form.reader.check()
    bill = bills[0]
    if int(count) not in bill.counts or first is None or bill.plan_until is None:
        raise Unfit({"parts": Fault("need_choice")})
    amounts = shares(bill.open, int(count), bill.digits)
    parts = plan(amounts, first, Every(every))
    if first < form.page.today or parts[-1].on > bill.plan_until:
        _say_when(form, bill, amounts, Every(every))
    form.reader.check()
    instalments = [{"date": f"{part.on}", "amount": str(part.amount)} for part in parts]
    content = {"instalments": instalments, "by": form.by}
    return Act("split_done", [Telling(bill.invoice_id, "payment_plan_agreed", content)])


def _say_when(form: Form, bill: Bill, amounts: Sequence[Any], every: Every) -> None:
    """Say between which days such a plan may begin; if on none, by when its last part has to be paid."""
    until = bill.plan_until or form.page.today
    days = [form.page.today + timedelta(days=ahead) for ahead in range((until - form.page.today).days + 1)]
    fit = [day for day in days if plan(amounts, day, every)[-1].on <= until]
    if fit:
        form.days_between("first", fit[0], fit[-1])
    else:
        form.reader.bad("every", "split_until", day=form.writer.day(until))


def instalments(form: Form) -> Act:
    """ "I want to pay in instalments" where the policy grants no plan by itself: a person answers."""
    bills = form.chosen(may_wish)
    wish = form.reader.text("wish", needed=True)
    form.reader.check()
    return Act("split_asked", about=bills[0].invoice_id, wish=wish)


def wrong(form: Form) -> Act:
    """ "Something is wrong": a dispute of an invoice or a part of it, with a text and perhaps a file."""
    bills = form.chosen(may_dispute)
    reason = form.reader.choice("reason", REASONS)
    amount = form.amount_of("amount", bills)
    text, file = form.reader.text("text", needed=True), form.reader.file("file")
    form.reader.check()
    content = {"reason": reason, "opened_by": form.by} | _given(amount=amount)
    return Act("wrong_done", [Telling(bills[0].invoice_id, "dispute_opened", content, text)], file)


def paid(form: Form) -> Act:
    """ "I have already paid": a person looks for the payment."""
    bills = form.chosen(any_open, several=True)
    day = form.reader.day("day")
    if day is not None and day > form.page.today:
        form.reader.bad("day", "day_past")
    amount = form.amount_of("amount", bills)
    text = form.reader.text("from") or None
    form.reader.check()
    content = {"by": form.by, "paid_on": f"{day}"} | _given(amount=amount)
    return Act("paid_done", [Telling(bill.invoice_id, "payment_announced", content, text) for bill in bills])


def call(form: Form) -> Act:
    """ "Please call me": at the number on file, or at one that was typed."""
    bills = form.first_open()
    where = form.reader.choice("where", [ON_FILE, OTHER] if form.page.phone else [OTHER])
    number = form.reader.phone("number") if where == OTHER else None
    at = form.reader.moment("at", form.now)
    form.reader.check()
    content = {"by": form.by} | _given(at=at.isoformat() if at else None)
    return Act("call_done", [Telling(bills[0].invoice_id, "call_requested", content, number)])


def payer(form: Form) -> Act:
    """ "Someone else pays": who that is. The first open invoice is what it is about."""
    bills = form.first_open()
    name, email = form.reader.name("name"), form.reader.email("email")
    form.reader.check()
    named = NamedPayer(name, email, form.page.who, form.writer.language)
    return Act("payer_asked" if form.page.consumer else "payer_done", payer=named, about=bills[0].invoice_id)


def stop(form: Form) -> Act:
    """ "Stop e-mails to this address": a person says that they are sure."""
    form.reader.ticked("sure")
    form.reader.check()
    if not form.page.stops:
        raise Unfit({"form": Fault("not_now")})
    return Act("stop_done", stops=True)


def _given(**facts: str | None) -> dict[str, str]:
    return {name: fact for name, fact in facts.items() if fact is not None}


@dataclass(frozen=True)
class Kind:
    """A form of the page.

    read   how it is read; `done`: the word that confirms it when it is sent again
    scope  what its link has to allow
    able   about which invoices it can be
    kept   whether what it says is kept, where no case is told of it
    """

    read: Callable[[Form], Act]
    scope: Scope
    done: str
    able: Callable[[Bill], bool] = field(default=any_open)
    kept: Kept | None = None


ACTS: Mapping[str, Kind] = {
    "promise": Kind(promise, Scope.PROMISE, "promise_done", may_promise),
    "split": Kind(split, Scope.PROMISE, "split_done", may_split),
    "instalments": Kind(instalments, Scope.PROMISE, "split_asked", may_wish, kept=kept.wish),
    "wrong": Kind(wrong, Scope.DISPUTE, "wrong_done", may_dispute),
    "paid": Kind(paid, Scope.PAY, "paid_done"),
    "call": Kind(call, Scope.CONTACT, "call_done"),
    "payer": Kind(payer, Scope.CONTACT, "payer_done", kept=kept.payer),
    "stop": Kind(stop, Scope.STOP, "stop_done", kept=kept.stop),
}
