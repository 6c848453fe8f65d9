"""Decides for which invoices money came in: by what we issued alone. Everything else is proposed to a person.

| rule      | what the payment says                                             | what follows |
|-----------|-------------------------------------------------------------------|--------------|
| reference | a payment reference of ours, and something is open of its invoices | booked       |
| number    | whole invoice numbers of one customer, and exactly their sum       | booked       |
| alike     | part of that, or a payer or a name that is known                   | proposed     |
| nothing   | anything else, an amount that is equal to one that is open too     | unmatched    |

An amount alone is never a reason: two customers of one price would pay for each other.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from decimal import Decimal
from enum import StrEnum
from itertools import chain, product, zip_longest
from typing import NamedTuple

from dunwell.domain.model import Value

_TOKENS = re.compile(r"[^\W_]+")
_MOST_TOKENS = 6
_SURE_DIGITS = 5
_SHORTEST_NAME = 4
_MOST_PROPOSALS = 5
_PIECES = re.compile(r"[^\W\d_]+|\d+")
_MARKS = ("-", "/", " ", "")
_MOST_PIECES, _MOST_MIXED = 100, 3
_BECOMES_CREDIT, _WOULD_BE_CREDIT = "that becomes credit", "it would become credit"
_LETTERS = str.maketrans({"ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "æ": "a", "œ": "o"})
_VOWELS = re.compile("([aou])e")
_LEGAL_FORMS = frozenset(
    word
    for line in (
        "ab ag aps as asa bv co company corp cv eood gmbh inc kg lda limited llc llp ltd ltda mbh nv oao ohg oo ooo",
        "o oy oyj plc pt pte sa sarl sas se sl sp spa srl tbk ug und and y e et cie z",
    )
    for word in line.split()
)


class Rule(StrEnum):
    """By which rule a payment was judged."""

    REFERENCE = "reference"
    NUMBER = "number"
    ALIKE = "alike"
    NOTHING = "nothing"


class IncomingPayment(Value):
    """Money that came in, as the bank or a provider tells it.

    texts       what the payer wrote: structured references, the remittance text, the end-to-end id
    payer_iban  the account it came from, without spaces
    may_repeat  the id of another one, where both may be the same money: then nothing is booked without a person
    charges     what banks kept as charges; where the customer surely paid them too, they are in `amount`
    ordered     what the payer ordered, where another amount came
    """

    amount: Decimal
    currency: str
    texts: tuple[str, ...] = ()
    payer_name: str | None = None
    payer_iban: str | None = None
    may_repeat: str | None = None
    charges: Decimal | None = None
    ordered: Decimal | None = None


class Receipt(Value):
    """A payment that an invoice has already. told: by whom, such as "reported by Stripe"."""

    amount: Decimal
    on: date
    told: str


class Settled(Value):
    """An invoice that the payment names and of which nothing is open. how: paid, written off, cancelled."""

    number: str
    currency: str
    how: str
    receipts: tuple[Receipt, ...] = ()


class Owed(Value):
    """An invoice that a payment could be for.

    open       what is open of the principal; 0 when it is settled
    claimed    what is owed beside it: interest, lump sum, costs
    tolerance  a rest that small is written off
    """

    invoice_id: str
    number: str
    customer_id: str
    customer_name: str
    currency: str
    open: Decimal
    claimed: Decimal = Decimal(0)
    tolerance: Decimal = Decimal(0)
    due_on: date


class Clues(Value):
    """What is known of the invoices that a payment could be for.

    references  those of each payment reference of ours in it, by reference
    numbers     open ones whose whole number stands in it
    payers      open ones of customers for whom its account has paid before
    names       open ones of customers who are called as the payer is
    settled     those that it names and of which nothing is open
    """

    references: Mapping[str, tuple[Owed, ...]] = {}
    numbers: tuple[Owed, ...] = ()
    payers: tuple[Owed, ...] = ()
    names: tuple[Owed, ...] = ()
    settled: tuple[Settled, ...] = ()


class Part(Value):
    """What of a payment is for one invoice, in the payment's currency."""

    invoice_id: str
    customer_id: str
    amount: Decimal


class Proposal(Value):
    """One way to use a payment, with the reasons that speak for it."""

    parts: tuple[Part, ...]
    reasons: tuple[str, ...]


class Match(Value):
    """What was decided about a payment.

    booked     what is booked; None: a person decides
    proposals  what is proposed to them, the best reasons first; none: it is unmatched
    why        in one sentence
    """

    rule: Rule
    booked: Proposal | None = None
    proposals: tuple[Proposal, ...] = ()
    why: str


def match(payment: IncomingPayment, clues: Clues) -> Match:
    """Return for which invoices the payment is, or could be."""
    found = _match(payment, clues)
    if notes := _notes(payment, () if found.booked is not None else clues.settled):
        found = _noted(found, notes)
    if payment.may_repeat is None:
        return found
    return in_doubt(found, f"it may be the same money as {payment.may_repeat}, which a file of another format told")


def _match(payment: IncomingPayment, clues: Clues) -> Match:
    by_reference, why_not = _by_reference(payment, clues.references)
    if by_reference is not None:
        return Match(rule=Rule.REFERENCE, booked=by_reference, why="; ".join(by_reference.reasons))
    by_number = None if clues.references else _by_number(payment, clues.numbers)
    if by_number is not None:
        return Match(rule=Rule.NUMBER, booked=by_number, why="; ".join(by_number.reasons))
    proposals = _alike(payment, clues, why_not)
    if proposals:
        return Match(rule=Rule.ALIKE, proposals=proposals, why=why_not or _why_asked(payment, clues, proposals))
    return Match(
        rule=Rule.NOTHING, why=why_not or "nothing in it names an open invoice, a known account or a customer"
    )


def _noted(found: Match, notes: tuple[str, ...]) -> Match:
    """Return a match with notes beside its reasons."""

    def noted(one: Proposal) -> Proposal:
        return Proposal(parts=one.parts, reasons=(*one.reasons, *notes))

    return Match(
        rule=found.rule,
        booked=noted(found.booked) if found.booked is not None else None,
        proposals=tuple(noted(one) for one in found.proposals),
        why="; ".join((*notes, found.why)),
    )


def in_doubt(found: Match, doubt: str) -> Match:
    """Return a match of what may be the same money as another payment, as `doubt` says: a person decides."""
    proposals = (found.booked,) if found.booked is not None else found.proposals
    why = f"compare both, and set this one aside if it is; {found.why}"
    asked = Match(rule=Rule.ALIKE if proposals else Rule.NOTHING, proposals=proposals, why=why)
    return _noted(asked, (doubt,))


def not_by_itself(found: Match, why: str) -> Match:
    """Return a match after a person had undone such a booking, as `why` says: whatever is likely is proposed."""
    proposals = (found.booked,) if found.booked is not None else found.proposals
    asked = Match(rule=Rule.ALIKE if proposals else Rule.NOTHING, proposals=proposals, why=found.why)
    return _noted(asked, (why,))


def _notes(payment: IncomingPayment, settled: Sequence[Settled]) -> tuple[str, ...]:
    """What a person should know beside the reasons: charges, and invoices that are paid already."""
    notes = []
    if payment.charges:
        notes.append(f"a bank kept charges of {payment.charges} {payment.currency}")
    if payment.ordered is not None and payment.ordered != payment.amount:
        missing = f"{payment.ordered - payment.amount} {payment.currency}"
        notes.append(
            f"the payer ordered {payment.ordered} {payment.currency}, and {missing} of it were kept on the way"
        )
    notes += [_settled(payment, one) for one in settled]
    return tuple(notes)


def _settled(payment: IncomingPayment, one: Settled) -> str:
    """Which payments an invoice has that the payment names, and whether this may be one of them, told again."""
    came = "; ".join(f"{got.amount} {one.currency} came on {got.on}, {got.told}" for got in one.receipts)
    said = f"it names invoice {one.number}, which is {one.how}{f': {came}' if came else ''}"
    equal = [got for got in one.receipts if (got.amount, one.currency) == (payment.amount, payment.currency)]
    if not equal:
        return said
    return f"{said}. It may be the payment of {equal[-1].on}, {equal[-1].told}, told once more"


# By what we issued -----------------------------------------------------------------------------------------


def _by_reference(
    payment: IncomingPayment, references: Mapping[str, tuple[Owed, ...]]
) -> tuple[Proposal | None, str | None]:
    """What is booked by references of ours; else why they do not decide. (None, None) when there is none."""
    if not references:
        return None, None
    named = ", ".join(references)
    owed = _each_once(one for found in references.values() for one in found)
    if all(one.currency != payment.currency for one in owed):
        return None, f"{named} is of invoices in {owed[0].currency}, and {payment.currency} came"
    still_open = [one for one in owed if one.currency == payment.currency and one.open > 0]
    if not still_open:
        return None, f"nothing is open any more of the invoices of {named}"
    parts = split(payment.amount, still_open)
    reason = f"it carries our payment reference {named}"
    return Proposal(parts=parts, reasons=(reason, *_remark(payment, still_open))), None


def _by_number(payment: IncomingPayment, named: Sequence[Owed]) -> Proposal | None:
    """What is booked by whole numbers and their exact sum: of one customer, none of them in doubt."""
    found = [one for one in _each_once(named) if one.currency == payment.currency]
    numbers = {one.number for one in found}
    in_doubt = len(numbers) < len(found) or any(not is_distinctive(number) for number in numbers)
    if not found or in_doubt or len({one.customer_id for one in found}) > 1 or not fits(payment.amount, found):
        return None
    reason = f"it names {_numbers(found)}"
    remark = _remark(payment, found)
    reasons = (reason, *remark) if remark else (f"{reason}, and the sum is exact",)
    return Proposal(parts=split(payment.amount, found), reasons=reasons)


def fits(amount: Decimal, owed: Sequence[Owed]) -> bool:
    """Whether the amount is what is open of these invoices, with or without what is claimed beside it.

    It may be short by a rest that the ladder of the last of them writes off.
    """
    principal = sum((one.open for one in owed), Decimal(0))
    short = principal - amount
    tolerated = _in_order(owed)[-1].tolerance if owed else Decimal(0)
    return 0 <= short <= tolerated or amount == principal + sum((one.claimed for one in owed), Decimal(0))


def split(amount: Decimal, owed: Sequence[Owed]) -> tuple[Part, ...]:
    """Split an amount over invoices: what is open, the longest due first, then what is claimed beside it.

    What is left after that goes to the last one, where it becomes credit.
    """
    order, shares = _in_order(owed), dict[str, Decimal]()
    for most in ({one.invoice_id: one.open for one in order}, {one.invoice_id: one.claimed for one in order}):
        for invoice_id, limit in most.items():
            share = min(limit, amount)
            shares[invoice_id] = shares.get(invoice_id, Decimal(0)) + share
            amount -= share
    if amount > 0:
        shares[order[-1].invoice_id] += amount
    customers = {one.invoice_id: one.customer_id for one in order}
    return tuple(
        Part(invoice_id=one, customer_id=customers[one], amount=share) for one, share in shares.items() if share > 0
    )


def _remark(payment: IncomingPayment, owed: Sequence[Owed]) -> tuple[str, ...]:
    """What a person should know about the sum."""
    principal = sum((one.open for one in owed), Decimal(0))
    whole = principal + sum((one.claimed for one in owed), Decimal(0))
    if payment.amount > whole:
        return (_of_excess(payment.amount - whole, payment.currency),)
    short = principal - payment.amount
    if 0 < short <= _in_order(owed)[-1].tolerance:
        return (f"{short} {payment.currency} short, which is within the tolerance and is written off",)
    return ()


def _of_excess(excess: Decimal, currency: str) -> str:
    return f"{excess} {currency} more than is owed came: {_BECOMES_CREDIT}"


def why_stale(payment: IncomingPayment, proposal: Proposal, owed: Sequence[Owed]) -> str | None:
    """Return why a proposal cannot be confirmed any more: more would become credit than it says. None: it can.

    owed  its invoices as they stand now
    """
    if any(one.endswith(_WOULD_BE_CREDIT) for one in proposal.reasons):
        return None
    left = {one.invoice_id: one.open + one.claimed for one in owed}
    excess = payment.amount - sum(left.values(), Decimal(0))
    if excess > 0 and any(one.endswith(_of_excess(excess, payment.currency)) for one in proposal.reasons):
        return None
    for part in proposal.parts:
        now_open = left.get(part.invoice_id, Decimal(0))
        if part.amount > now_open:
            return f"would put {part.amount} on {part.invoice_id}, of which {now_open} are owed by now"
    return None


# What is proposed ------------------------------------------------------------------------------------------


def _alike(payment: IncomingPayment, clues: Clues, why_not: str | None) -> tuple[Proposal, ...]:
    """What a person may confirm, the most reasons first."""
    found: dict[tuple[Part, ...], list[str]] = {}
    referred = _each_once(one for owed in clues.references.values() for one in owed)
    settled = [one for one in referred if one.currency == payment.currency]
    if settled and why_not:
        found.setdefault(split(payment.amount, settled), []).append(f"{why_not}: {_WOULD_BE_CREDIT}")
    customers = {one.customer_id for one in settled}
    for owed, reason in (
        (_same(payment, clues.numbers), "it names {numbers}"),
        (_same(payment, clues.payers), "it comes from an account that paid for {customer} before"),
        (_same(payment, clues.names), "the payer is called like {customer}"),
    ):
        by_name_alone = owed and owed[0] in clues.names and owed[0] not in (*clues.numbers, *clues.payers)
        for chosen, sum_fits in _choices(payment.amount, owed):
            if by_name_alone and not sum_fits:
                continue  # a name that is alike, and a sum that is not, say nothing
            words = reason.format(numbers=_numbers(chosen), customer=f"customer {chosen[0].customer_id}")
            reasons = found.setdefault(split(payment.amount, chosen), [])
            reasons.append(words)
            said = _about_sum(payment, chosen, sum_fits)
            if said not in reasons:
                reasons.append(said)
            if chosen[0].customer_id in customers:
                reasons.append("the reference that it carries is of the same customer")
    ranked = sorted(found.items(), key=lambda one: -len(one[1]))
    return tuple(
        Proposal(parts=parts, reasons=tuple(dict.fromkeys(reasons))) for parts, reasons in ranked[:_MOST_PROPOSALS]
    )


def _choices(amount: Decimal, owed: Sequence[Owed]) -> list[tuple[list[Owed], bool]]:
    """Which of these invoices the payment may be for, customer by customer, and whether the sum fits them.

    Those that it fits alone; else all of the customer's where it fits these; else all, the longest due first.
    """
    choices: list[tuple[list[Owed], bool]] = []
    for customer_id in dict.fromkeys(one.customer_id for one in owed):
        theirs = [one for one in _in_order(owed) if one.customer_id == customer_id]
        alone = [([one], True) for one in theirs if fits(amount, [one])]
        choices += alone or [(theirs, fits(amount, theirs))]
    return choices


def _why_asked(payment: IncomingPayment, clues: Clues, proposals: Sequence[Proposal]) -> str:
    """Why a person decides: what speaks for the first proposal, and what against booking it."""
    reasons = list(proposals[0].reasons)
    named = [one for one in _each_once(clues.numbers) if one.currency == payment.currency]
    numbers = {one.number for one in named}
    doubtful = sorted(number for number in numbers if not is_distinctive(number))
    if doubtful:
        reasons.append(f"{doubtful[0]} may be something else than an invoice number")
    if len(numbers) < len(named):
        reasons.append("several invoices have this number")
    if len(proposals) > 1:
        reasons.append(f"{len(proposals) - 1} more may be meant")
    return f"{'; '.join(reasons)}: a person decides"


def _about_sum(payment: IncomingPayment, owed: Sequence[Owed], sum_fits: bool) -> str:
    principal = sum((one.open for one in owed), Decimal(0))
    if sum_fits and payment.amount >= principal:
        beside = ", with what was claimed beside it" if payment.amount > principal else ""
        return f"what came is what is open of {_numbers(owed)}{beside}"
    came = f"{payment.amount} {payment.currency} came, and {principal} {payment.currency} are open of"
    return ": ".join((f"{came} {_numbers(owed)}", *_remark(payment, owed)))


def _same(payment: IncomingPayment, owed: Iterable[Owed]) -> list[Owed]:
    return [one for one in _each_once(owed) if one.currency == payment.currency and one.open > 0]


def _numbers(owed: Iterable[Owed]) -> str:
    numbers = [one.number for one in _in_order(owed)]
    return f"invoice {numbers[0]}" if len(numbers) == 1 else f"invoices {', '.join(numbers)}"


def _each_once(owed: Iterable[Owed]) -> list[Owed]:
    return list({one.invoice_id: one for one in owed}.values())


def _in_order(owed: Iterable[Owed]) -> list[Owed]:
    return sorted(owed, key=lambda one: (one.due_on, one.invoice_id))


# Numbers and names in what a payer wrote -------------------------------------------------------------------


class NumberKey(NamedTuple):
    """An invoice number as its words, whatever stands between them; `joined` where it may be written as one."""

    words: tuple[str, ...]
    joined: str | None


def number_key(number: str) -> NumberKey:
    """Return the key under which an invoice number is looked for. Only figures are never joined: 12.34 is no 1234."""
    words = tuple(_TOKENS.findall(number.casefold()))
    joined = "".join(words)
    return NumberKey(words, joined if any(sign.isalpha() for sign in joined) else None)


def is_distinctive(number: str) -> bool:
    """Whether a number can hardly be something else: a few figures may be a day, a year or an amount."""
    joined = "".join(_TOKENS.findall(number))
    return len(joined) >= _SURE_DIGITS or any(sign.isalpha() for sign in joined)


class KnownNumbers(NamedTuple):
    """The ids of invoices by their number's words, and by the number written as one word."""

    by_words: Mapping[tuple[str, ...], Sequence[str]]
    by_joined: Mapping[str, Sequence[str]]

    @classmethod
    def of(cls, ids: Mapping[NumberKey, Sequence[str]]) -> "KnownNumbers":
        """Index the ids by number key. Made once for many payments."""
        joined = {key.joined: found for key, found in ids.items() if key.joined is not None}
        return cls({key.words: found for key, found in ids.items()}, joined)


def numbers_in(texts: Sequence[str], known: KnownNumbers) -> list[str]:
    """Return the ids of the invoices whose whole number stands in one of the texts.

    A number within a longer one that is known does not count.
    """
    found: dict[str, None] = {}
    for text in texts:
        words, at = _TOKENS.findall(text.casefold()), 0
        while at < len(words):
            for length in range(min(_MOST_TOKENS, len(words) - at), 0, -1):
                some = tuple(words[at : at + length])
                ids = known.by_words.get(some) or known.by_joined.get("".join(some))
                if ids:
                    found |= dict.fromkeys(ids)
                    at += length - 1
                    break
            at += 1
    return list(found)


def possible_numbers(texts: Iterable[str]) -> set[str]:
    """Return what in the texts may be an invoice number, in the ways in which one may be written.

    Of each text the first hundred words and figures are looked at: transfers have no more.
    """
    found = set[str]()
    for text in texts:
        pieces = list(_PIECES.finditer(text))[:_MOST_PIECES]
        for at, first in enumerate(pieces):
            for many, last in enumerate(pieces[at : at + _MOST_TOKENS], 1):
                written = text[first.start() : last.end()]
                if any(char.isdigit() for char in written):
                    found |= {written, written.upper(), *_spellings(_PIECES.findall(written.upper()), many)}
    return found


def _spellings(pieces: Sequence[str], many: int) -> Iterator[str]:
    """Yield the pieces with every mark between them; where they are many, with one mark throughout."""
    ways = product(_MARKS, repeat=many - 1) if many <= _MOST_MIXED else ((mark,) * (many - 1) for mark in _MARKS)
    for marks in ways:
        yield "".join(chain(*zip_longest(pieces, marks, fillvalue="")))


def name_key(name: str) -> frozenset[str]:
    """Return the words by which the payer's name is looked for among customers; none where they are too short."""
    words = name_words(name)
    return words if any(len(word) >= _SHORTEST_NAME for word in words) else frozenset()


def name_words(name: str) -> frozenset[str]:
    """Return the words by which two names of a company or person are compared, without its legal form.

    Banks write names in capitals and without accents, Müller as MUELLER or MULLER: these are one name here.
    """
    return frozenset(_TOKENS.findall(_plain_letters(name))) - _LEGAL_FORMS


def _plain_letters(name: str) -> str:
    """Return a name in small letters without accents; ae, oe and ue as a, o and u, for they may stand for umlauts."""
    apart = unicodedata.normalize("NFKD", name.casefold())
    plain = "".join(char for char in apart if not unicodedata.combining(char)).translate(_LETTERS)
    return _VOWELS.sub(r"\1", plain)
