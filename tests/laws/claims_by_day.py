"""The claim worked out day by day, as the rules say it in prose: slow, and apart from the product's own code.

The order of one day is: amendments; costs and the lump sum; the day's interest, if its law counts the day of a
payment; payments; money that went back; the day's interest otherwise. Interest that was open for a full year (month,
day) of default bears interest from then on. A payment meets the heads in the order of the law, with the head that the
customer named first where the law lets them; of the interest, first that which bears none. What met nothing waits.
Money that goes back is first what had met nothing, then what the payment met, from the end of its order. Once as much
was paid as the invoice amounts to, nothing more accrues: the principal is met, and the rest meets the other heads.
Nor does anything after the day on which the invoice was written off.
"""

from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction

from dunwell.domain.claim_history import ClaimHistory, ContractTerms, Reversal
from dunwell.domain.interest_rule import InterestRule, Rate
from dunwell.domain.jurisdiction import Jurisdiction

ONE, ZERO = timedelta(days=1), Fraction(0)
HEADS = ["principal", "interest", "capitalised", "lump_sum", "costs"]


@dataclass
class Paid:
    """A payment: what is left of it, what of that met nothing yet, and what the rest met."""

    left: Fraction
    free: Fraction
    order: list[str]
    met: dict[str, Fraction] = field(default_factory=lambda: dict.fromkeys(HEADS, ZERO))

    def meets(self, head: str, amount: Fraction) -> None:
        self.met[head] += amount
        self.free -= amount


class Days:
    """The claim from the day of the invoice to `as_of`; `open` and `accrued` are unrounded.

    customer: the kind of the customer; None when nobody said it, who is treated as a consumer and owes no lump sum.
    """

    def __init__(
        self, history: ClaimHistory, law: Jurisdiction, terms: ContractTerms, as_of: date, customer: str | None
    ) -> None:
        self.history, self.law, self.terms, self.as_of = history, of_party(law, customer or "consumer"), terms, as_of
        self.owes_lump_sum = terms.lump_sum and customer is not None
        self.first_rule = rule_on(history.due_on + ONE, self.law)
        self.due, self.off = history.due_on, history.written_off_on or date.max
        self.start = first_day(history, self.first_rule, self.due)
        self.amount = Fraction(history.amounts[0].amount)
        self.open = dict.fromkeys(HEADS, ZERO) | {"principal": self.amount}
        self.paid: dict[str, Paid] = {}
        self.accrued = ZERO

    @property
    def money(self) -> Fraction:
        return sum((paid.left for paid in self.paid.values()), ZERO)

    def count(self) -> None:
        today = self.history.issued_on
        while today <= self.as_of:
            self.amend(today)
            self.owe(today)
            if self.first_rule.through_payment_day:
                self.accrue(today)
                self.move_money(today)
            else:
                self.move_money(today)
                if today < min(self.as_of, self.off):  # a payment on that day would not have borne it
                    self.accrue(today)
            today += ONE

    def amend(self, today: date) -> None:
        for row in self.history.amounts:
            if row.on == today:
                self.open["principal"] += Fraction(row.amount) - self.amount
                self.amount = Fraction(row.amount)
                for paid in reversed(self.paid.values()):  # what met more than there is now is free again
                    freed = min(paid.met["principal"], max(-self.open["principal"], ZERO))
                    paid.meets("principal", -freed)
                    self.open["principal"] += freed
                self.meet()

    def owe(self, today: date) -> None:
        if today == self.start <= self.off and self.owes_lump_sum and self.money < self.amount:
            debt = self.open["principal"] - disputed(self.history, today, self.as_of, self.open["principal"])
            self.open["lump_sum"] += self.lump_sum(debt) if debt else ZERO
        for cost in self.history.costs:
            self.open["costs"] += Fraction(cost.amount) if cost.on == today else ZERO
        self.meet()

    def lump_sum(self, debt: Fraction) -> Fraction:
        """Of a debt of that size; nothing where the law names it in another currency than the invoice's."""
        row = self.law.lump_sum[0]
        if row.currency != self.history.currency:
            return ZERO
        fits = (band for band in row.bands if band.below is None or debt < Fraction(band.below))
        return Fraction(row.amount if row.amount is not None else next(fits).amount)

    def accrue(self, today: date) -> None:
        if not self.start <= today <= self.off:
            return
        if is_capitalisation_day(today, self.start, self.first_rule.compounding):
            self.open["capitalised"] += self.open["interest"]
            self.open["interest"] = ZERO
        if self.money < self.amount:
            interest = self.interest(today)
            self.accrued += interest
            self.open["interest"] += interest

    def interest(self, today: date) -> Fraction:
        rule = rule_on(today, self.law)
        if rule.fixed_at is not None:
            rule = rule_on(self.start, self.law)
        principal = self.open["principal"]
        balance = principal - disputed(self.history, today, self.as_of, principal) + self.open["capitalised"]
        rate = self.rate({None: today, "due_date": self.due, "first_day": self.start}[rule.fixed_at], rule)
        interest = balance * rate / 100 * part_of_year(today, rule.day_count, self.start)
        if rule.open_interest_at_most is not None:
            most = Fraction(rule.open_interest_at_most) * principal - self.open["interest"] - self.open["capitalised"]
            interest = min(interest, max(most, ZERO))
        return interest

    def rate(self, day: date, rule: InterestRule) -> Fraction:
        if self.terms.contract_rate is None:
            return rate_on(day, rule.statutory, self.law) if rule.statutory else ZERO
        agreed = Fraction(self.terms.contract_rate)
        return min(agreed, rate_on(day, rule.contract_at_most, self.law)) if rule.contract_at_most else agreed

    def move_money(self, today: date) -> None:
        for payment in self.history.payments:
            if payment.on == today:
                order = order_of(self.law, payment.designation)
                amount = Fraction(payment.amount)
                self.paid[payment.payment_id] = Paid(amount, amount, order)
                self.meet()
        for reversal in self.history.reversals:
            if reversal.on == today:
                self.take_back(reversal)
                self.meet()

    def meet(self) -> None:
        """What met nothing yet meets what is open."""
        for paid in self.paid.values():
            for head in paid.order if paid.free else ():
                met = min(paid.free, self.open[head])
                paid.meets(head, met)
                self.open[head] -= met

    def take_back(self, reversal: Reversal) -> None:
        paid = self.paid[reversal.payment_id]
        paid.left -= Fraction(reversal.amount)
        paid.free -= Fraction(reversal.amount)
        for head in reversed(paid.order):
            undone = min(paid.met[head], max(-paid.free, ZERO))
            paid.meets(head, -undone)
            self.open[head] += undone


def claim_by_days(
    history: ClaimHistory,
    law: Jurisdiction,
    terms: ContractTerms,
    as_of: date,
    customer: str | None = "business",
) -> dict[str, Fraction]:
    """What is open of each head at the end of `as_of`, unrounded.

    accrued: all interest there ever was; overpaid: what was paid beyond all that was owed;
    beside: what is owed beside the principal where all that was paid counts for that first.
    """
    days = Days(history, law, terms, as_of, customer)
    days.count()
    for paid in days.paid.values():
        assert min(*paid.met.values(), paid.free) >= 0 and sum(paid.met.values()) + paid.free == paid.left
    beside, rest = {}, max(days.money - days.amount, ZERO)
    for head in order_of(days.law, None):
        if head != "principal":
            owed = days.open[head] + sum(paid.met[head] for paid in days.paid.values())
            beside[head] = max(owed - rest, ZERO)
            rest -= min(owed, rest)
    open_ = days.open if days.money < days.amount else {"principal": ZERO} | beside
    in_dispute = disputed(history, as_of, as_of, open_["principal"])
    return {
        "principal": open_["principal"] - in_dispute,
        "disputed": in_dispute,
        "interest": open_["interest"] + open_["capitalised"],
        "lump_sum": open_["lump_sum"],
        "costs": open_["costs"],
        "beside": sum(beside.values(), ZERO),
        "accrued": days.accrued,
        "overpaid": sum((paid.free for paid in days.paid.values()), ZERO),
    }


def shown(counted: dict[str, Fraction], digits: int) -> dict[str, Decimal]:
    """The heads as a person reads them: they add up to the total, which is rounded once, half up.

    Principal, lump sum and costs come first, so that what rounding leaves over stays in the interest.
    """
    heads, so_far, read = ("principal", "lump_sum", "costs", "interest"), ZERO, Decimal(0)
    found = {}
    for head in heads:
        so_far += counted[head]
        found[head] = rounded(so_far, digits) - read
        read += found[head]
    return found | {"total": read, "disputed": rounded(counted["disputed"], digits)}


def rounded(amount: Fraction, digits: int) -> Decimal:
    """Half up, of an amount that is not negative."""
    units, rest = divmod(amount * 10**digits, 1)
    return Decimal(units + (rest * 2 >= 1)).scaleb(-digits)


def of_party(law: Jurisdiction, customer: str) -> Jurisdiction:
    """The law with those rows alone that hold for such a customer."""
    rows = {
        name: tuple(row for row in getattr(law, name) if customer in row.customers)
        for name in ("interest", "lump_sum", "allocation")
    }
    return law.model_copy(update=rows)


def rule_on(day: date, law: Jurisdiction) -> InterestRule:
    return max((row for row in law.interest if row.valid_from <= day), key=lambda row: row.valid_from)


def first_day(history: ClaimHistory, rule: InterestRule, due: date) -> date:
    """The day after the earliest event that the rule names, but never before the day after the due date."""
    known = {"due": due, "notice": history.noticed_on, "issue": history.issued_on}
    days = [day + timedelta(days=start.days) for start in rule.starts if (day := known[start.event]) is not None]
    return max(min(days), due) + ONE if days else date.max


def order_of(law: Jurisdiction, named: str | None) -> list[str]:
    rule = law.allocation[0]
    follows = rule.designation in ("binds", "creditor_may_refuse")
    order = [str(head) for head in rule.order]
    if named is not None and follows:
        order = [named] + [head for head in order if head != named]
    place = order.index("interest") + 1
    return [*order[:place], "capitalised", *order[place:]]


def disputed(history: ClaimHistory, today: date, as_of: date, open_principal: Fraction) -> Fraction:
    """What is in dispute today. A dispute that was rejected by `as_of` was none."""
    part = Fraction(0)
    for span in history.disputes:
        ended = span.until is not None and span.until <= as_of
        if span.since <= today and (span.until is None or today < span.until) and not (span.rejected and ended):
            part += open_principal if span.amount is None else Fraction(span.amount)
    return min(part, open_principal)


def rate_on(day: date, rate: Rate, law: Jurisdiction) -> Fraction:
    if rate.rate is not None:
        return Fraction(rate.rate)
    first_of_half = date(day.year, 1, 1) if day.month < 7 else date(day.year, 7, 1)
    looked_up = {
        "daily": day,
        "monthly": date(day.year, day.month, 1),
        "yearly": date(day.year, 1, 1),
        "on_first_day": first_of_half,
        "before_half": first_of_half - ONE,
    }[rate.lookup]
    steps = [step for step in law.series[str(rate.series)].rates if step.valid_from <= looked_up]
    return max(Fraction(steps[-1].rate) * Fraction(rate.factor) + Fraction(rate.margin), Fraction(0))


def part_of_year(day: date, count: str, start: date) -> Fraction:
    if count == "act/act":
        return Fraction(1, (date(day.year + 1, 1, 1) - date(day.year, 1, 1)).days)
    if count == "30/360":  # the 31st counts nothing, and the last day of February is followed by its missing days
        if day.day == 31:
            return Fraction(0)
        missing = 30 - (day - ONE).day if (day - ONE).month == 2 and day.day == 1 else 0
        return Fraction(1 + missing, 360)
    if count == "months":
        number = 0
        while months_later(start, number + 1) <= day:
            number += 1
        return Fraction(1, 12 * (months_later(start, number + 1) - months_later(start, number)).days)
    return Fraction(1, {"act/365": 365, "act/360": 360}[count])


def is_capitalisation_day(day: date, start: date, compounding: str) -> bool:
    if compounding == "daily":
        return day > start
    months = {"none": 0, "monthly": 1, "yearly": 12}[compounding]
    return months > 0 and any(months_later(start, number * months) == day for number in range(1, 100))


def months_later(day: date, months: int) -> date:
    """The same day of the month so many months later, else the first day of the month after."""
    month = day.year * 12 + day.month - 1 + months
    try:
        return date(month // 12, month % 12 + 1, day.day)
    except ValueError:
        return date((month + 1) // 12, (month + 1) % 12 + 1, 1)
