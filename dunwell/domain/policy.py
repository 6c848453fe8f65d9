"""A ladder of reminders as data: its steps, the moments they count from, and the rules that go with them.

A policy read from a ladder file has passed every check, so it can be run without surprises.
"""

import json
import re
from datetime import date, time, timedelta
from decimal import Decimal
from hashlib import sha256
from typing import Annotated, Literal

from pydantic import Field

from dunwell.domain.business_calendar import BusinessCalendar
from dunwell.domain.calls import CallRules
from dunwell.domain.channels import WRITTEN, Channel
from dunwell.domain.model import Value
from dunwell.domain.terms import AccessoryRule, Late, Level, Role, Stage

Unit = Literal["days", "business_days", "hours"]

DATES = ("due", "issued")
"""Anchors that are days of the invoice; any other anchor is the id of a step above."""

_WHEN = re.compile(
    r"(?P<anchor>[a-z][a-z0-9-]*)"
    r"(?:\s+(?P<sign>[+-])\s*(?P<count>\d{1,4})\s+(?P<unit>business\s+days?|days?|hours?))?"
    r"(?:\s+at\s+(?P<at>\d{2}:\d{2}))?"
)
WHEN_FORMS = (
    'write "due + 1 business day at 10:00", "due - 3 business days", "due at 12:00", "issued", '
    '"first-reminder + 14 days" or "first-call + 26 hours"'
)
"""The forms of a moment, as shown to whoever wrote another."""

_MAX_OFFSET = {"days": 730, "business_days": 500, "hours": 720}


class When(Value):
    """A moment relative to an anchor: "due", "issued" or the id of a step above.

    `at` is a local clock time; None means the opening of the window. Hours count from the exact
    moment the anchor was done.
    """

    anchor: str
    offset: int = 0
    unit: Unit = "days"
    at: time | None = None

    @classmethod
    def read(cls, text: str) -> "When":
        """Read the form used in ladder files. Raises ValueError that shows the allowed forms."""
        found = _WHEN.fullmatch(text.strip())
        if found is None:
            raise ValueError(f"{text!r} is not understood: {WHEN_FORMS}")
        unit: Unit = _unit(found["unit"])
        offset = int(f"{found['sign'] or '+'}{found['count'] or 0}")
        if abs(offset) > _MAX_OFFSET[unit]:
            words = unit.replace("_", " ")
            raise ValueError(f"{text!r} is too far away: {_MAX_OFFSET[unit]} {words} are the most")
        if offset < 0 and found["anchor"] != "due":
            raise ValueError(f"{text!r} lies before its anchor: only due may be counted back from")
        if unit == "hours" and (found["anchor"] in DATES or found["at"]):
            raise ValueError(f'{text!r}: hours count from a step and take no "at"; from a date use days')
        return cls(anchor=found["anchor"], offset=offset, unit=unit, at=found["at"] and time_of_day(found["at"]))

    def day(self, anchor: date, calendar: BusinessCalendar) -> date:
        """The day meant, counted from the anchor's day; not yet moved to a business day. Not for hours."""
        if self.unit == "business_days":
            return calendar.add_business_days(anchor, self.offset)
        return anchor + timedelta(days=self.offset)

    def __str__(self) -> str:
        words = self.unit.replace("_", " ")
        words = words[:-1] if abs(self.offset) == 1 else words
        count = f" {'-' if self.offset < 0 else '+'} {abs(self.offset)} {words}" if self.offset else ""
        return f"{self.anchor}{count}" + (f" at {self.at:%H:%M}" if self.at else "")


class Needs(Value):
    """The warnings needed before a consequence: `delivered_warnings` distinct earlier warning steps whose written
    message was delivered, and `days` full days since the last of those deliveries."""

    delivered_warnings: int
    days: int


Tolerance = Annotated[int, Field(ge=0, le=10_000)]
"""Minor units of the invoice's currency: 50 is 0.50 EUR, 50 JPY and 0.050 KWD."""


class PromiseRules(Value):
    """How often a date may be promised, how many days ahead, and how many days late a payment may come in.

    Bounded here too, and not in ladder files alone: a move brings the rules in a message.
    """

    limit: Annotated[int, Field(ge=0, le=100)] = 2
    max_days: Annotated[int, Field(ge=1, le=365)] = 14
    grace_days: Annotated[int, Field(ge=0, le=60)] = 1


class GraceRules(Value):
    """How often a case may be granted grace, and for how many days at most: what it restricts is open until then.

    Bounded here too, as the rules of promises are.
    """

    days: Annotated[int, Field(ge=1, le=60)] = 3
    times: Annotated[int, Field(ge=0, le=20)] = 0


class ReplyRules(Value):
    """After how many business days a manager hears that a reply waits for a person; then again each week."""

    manager_after_days: int = 2


class PlanRules(Value):
    """The payment plan that a customer may agree alone; what people agree is not bounded by it.

    most      how many instalments at most; fewer than 2 grants none
    max_days  after how many days at most the last one is paid
    least     the least amount of one (currency of the invoice)
    """

    most: int = 0
    max_days: int = 90
    least: Decimal | None = None


class Reactions(Value):
    """The message sent when something happens; None sends nothing.

    promise_due and instalment_due leave on the business day before the agreed one. nothing_to_pay says that a
    dispute left nothing open, and takes back a threat or a restriction when the invoice is cancelled. accessory_left
    asks once for interest and costs that are left after the payment, in place of `paid`. grace_granted names the day
    on which the restriction comes back.
    """

    paid: str | None = None
    part_paid: str | None = None
    promise_made: str | None = None
    promise_due: str | None = None
    promise_broken: str | None = None
    dispute_opened: str | None = None
    dispute_closed: str | None = None
    nothing_to_pay: str | None = None
    plan_agreed: str | None = None
    instalment_due: str | None = None
    instalment_missed: str | None = None
    restored: str | None = None
    accessory_left: str | None = None
    grace_granted: str | None = None

    @property
    def confirmations(self) -> frozenset[str]:
        """The messages that confirm what the customer themselves asked for or said."""
        named = (self.promise_made, self.plan_agreed, self.dispute_opened, self.grace_granted)
        return frozenset(message for message in named if message is not None)


class Fee(Value):
    """What a step charges for itself; it is claimed of an invoice in this currency only."""

    amount: Decimal
    currency: str

    def __str__(self) -> str:
        return f"{self.amount} {self.currency}"


class Trait(Value):
    """What a message of the catalogue does: asks for money, announces a consequence, or states one.

    accessory  it asks for what is left of interest and costs once the invoice is paid, and for nothing else
    """

    asks: bool = False
    accessory: bool = False
    announces: bool = False
    states: str | None = None


class Step(Value):
    """One step: who (`to`) gets which `message` on the first open channel of `by`, and what else is done.

    copies          roles that get a copy by e-mail once somebody of the debtor's was reached in writing
    approval        our manager says yes before what the step does is done
    once            "customer": left out when this customer got the message already, about another invoice
    interest        the message claims the interest that has accrued: the law's, or the rate that was agreed
    lump_sum        it claims the fixed sum that the law allows for late payment
    fee             what is charged for this step, and claimed by it and by the later steps that claim interest
    interest_notice the message says since when interest accrues and at which rate, and does not claim it yet
    asks            the message asks for payment (taken from the catalogue when the ladder is loaded)
    days_after_due  the fewest days after the due date it is planned for; 0 or less means up to the due date,
                    None that it hangs on the issue date, so nobody can say
    """

    id: str
    when: When
    to: tuple[Role, ...] = ()
    by: tuple[Channel, ...] = ()
    message: str | None = None
    copies: tuple[Role, ...] = ()
    once: Literal["customer"] | None = None
    approval: bool = False
    late: Late = Late.SEND
    access: Level | None = None
    needs: Needs | None = None
    announces: tuple[str, ...] = ()
    stage: Stage | None = None
    ends: Stage | None = None
    interest: Literal["statutory"] | None = None
    lump_sum: bool = False
    fee: Fee | None = None
    interest_notice: bool = False
    asks: bool = False
    days_after_due: int | None = None

    @property
    def contact(self) -> bool:
        """Whether it contacts somebody."""
        return self.message is not None

    @property
    def written(self) -> bool:
        """Whether it may reach people in writing."""
        return not WRITTEN.isdisjoint(self.by)

    @property
    def reaches_debtor(self) -> bool:
        """Whether it goes to anyone but our own account manager."""
        return any(role is not Role.ACCOUNT_MANAGER for role in self.to)

    @property
    def copied(self) -> bool:
        """Whether copies of it make sense: something is written to the debtor."""
        return self.contact and self.written and self.reaches_debtor

    @property
    def chasing(self) -> bool:
        """Whether it is planned after the due date, whatever weekday that is."""
        return self.days_after_due is not None and self.days_after_due > 0

    @property
    def warning(self) -> bool:
        """Whether it asks the debtor for payment, in writing, after the due date."""
        return self.asks and self.written and self.reaches_debtor and self.chasing

    @property
    def restricts(self) -> bool:
        """Whether it lowers access; stopping the next milestone (`work`) takes nothing away."""
        return self.access in (Level.RESTRICTED, Level.SUSPENDED)

    @property
    def grave(self) -> bool:
        """Whether it goes to lawyers or collectors: the steps that a floor amount guards."""
        return self.stage is not None or self.ends is Stage.HANDED_OVER

    @property
    def claims(self) -> bool:
        """Whether the message claims anything beside the principal."""
        return self.interest is not None or self.lump_sum or self.fee is not None

    @property
    def does(self) -> str | None:
        """What changes for the debtor: restricted, suspended, work, legal, handed_over or written_off."""
        return self.access or self.stage or self.ends

    @property
    def consequence(self) -> bool:
        """Whether it must be announced in writing by a step above."""
        return self.restricts or self.grave


class Policy(Value):
    """One version of a ladder. A running case keeps the very value it began with.

    window         local opening and closing time for contacts
    gap_days       the fewest days between two requests for payment to one contact, whatever the invoice
    spread_minutes over how many minutes the customers' moments are spread, each at a moment of its own
    silence_days   a message whose delivery nobody confirmed in so many days did not arrive
    contacts_per_week, calls_per_week: the most messages, and calls, one contact gets in seven days
    hold           placed when the case opens (only `work`)
    unknown_email  what to do when nobody can say whether an e-mail left: ask a person
    floor          below this open amount (currency of the invoice) nothing goes to lawyers or collectors
    restriction_floor  below this open amount nothing is restricted or suspended
    dispute_days   after how many days a person looks at a dispute that is still open
    pause_days     the same for a pause without an end
    tolerance      a rest of so many minor units (cents, or yen) counts as paid once something was paid
    named_only     nobody is written to whom the step does not name, even if those it names cannot be reached
    jurisdictions  the countries for whose law the ladder is written, and is checked; empty: for any
    pay_days       how many days a message that claims more than the invoice leaves to pay, where it announces nothing
    accessory      what becomes of interest and costs that are left once the principal is paid
    accessory_floor  below this amount (currency of the invoice) they are waived
    copies         roles that get a copy of every written step; each step has them among its own already
    plans          the payment plan that a customer may agree alone
    calls          rules for the people who call
    grace          how often what it restricts may be lifted for some days
    replies        rules for replies that wait for a person
    """

    name: str
    version: int
    title: str
    language: str = "en"
    warnings_before_restriction: int = 2
    window: tuple[time, time] = (time(9), time(17))
    gap_days: int = 1
    contacts_per_week: int = 4
    calls_per_week: int = 7
    silence_days: int = 2
    spread_minutes: int = 0
    hold: Level | None = None
    unknown_email: Literal["ask"] = "ask"
    floor: Decimal | None = None
    restriction_floor: Decimal | None = None
    tolerance: Tolerance = 50
    dispute_days: int = 14
    pause_days: int = 30
    named_only: bool = False
    jurisdictions: tuple[str, ...] = ()
    pay_days: int = 7
    accessory: AccessoryRule = AccessoryRule.WAIVE
    accessory_floor: Decimal | None = None
    copies: tuple[Role, ...] = ()
    promises: PromiseRules = PromiseRules()
    plans: PlanRules = PlanRules()
    reactions: Reactions = Reactions()
    calls: CallRules = CallRules()
    grace: GraceRules = GraceRules()
    replies: ReplyRules = ReplyRules()
    steps: tuple[Step, ...]

    def step(self, step_id: str) -> Step:
        """The step of that id. Raises LookupError naming policy, version and id."""
        for step in self.steps:
            if step.id == step_id:
                return step
        raise LookupError(f"policy {self.name} version {self.version} has no step {step_id!r}")

    def applies(self, step: Step, open_amount: Decimal) -> bool:
        """Whether the step is meant for this open amount."""
        return open_amount >= self.least(step)

    def least(self, step: Step) -> Decimal:
        """The least open amount for which the step is meant: its floor, if it is a consequence.

        A step that announces consequences is left out where none of them would come: that would be an empty threat.
        """
        own = (self.floor if step.grave else self.restriction_floor if step.restricts else None) or Decimal(0)
        announced = [self.least(one) for one in self.steps if one.id in step.announces]
        return max(own, min(announced, default=Decimal(0)))


def tolerated(tolerance: int, digits: int) -> Decimal:
    """A tolerance in minor units as an amount of a currency with so many digits."""
    return Decimal(tolerance).scaleb(-digits)


def digest_of(policy: Policy) -> str:
    """Sixteen hexadecimal digits that stand for the whole version."""
    return sha256(json.dumps(policy.model_dump(mode="json"), sort_keys=True).encode()).hexdigest()[:16]


class PolicyRef(Value):
    name: str
    version: int


class Rules(Value):
    """The part of the policy that answers people at once, snapshotted when the case opens."""

    promises: PromiseRules
    reactions: Reactions
    grace: GraceRules = GraceRules()
    tolerance: Tolerance = 50
    by_issue: tuple[str, ...] = ()  # steps that hang on the issue date, so that a new due date does not repeat them

    @classmethod
    def of(cls, policy: Policy) -> "Rules":
        by_issue = tuple(step.id for step in policy.steps if step.days_after_due is None)
        return cls(
            promises=policy.promises,
            reactions=policy.reactions,
            grace=policy.grace,
            tolerance=policy.tolerance,
            by_issue=by_issue,
        )


def _unit(word: str | None) -> Unit:
    if word is not None and word.startswith("business"):
        return "business_days"
    return "hours" if word is not None and word.startswith("hour") else "days"


def time_of_day(text: str) -> time:
    """A time written as 10:00. Raises ValueError naming the text."""
    hour, minute = int(text[:2]), int(text[3:])
    if hour > 23 or minute > 59:
        raise ValueError(f"{text!r} is no time of day: write hours and minutes such as 09:30")
    return time(hour, minute)
