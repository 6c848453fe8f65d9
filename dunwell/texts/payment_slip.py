"""The foot of a letter: to whom, how much, under which reference, and for euros a code that banking apps read."""

from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal

from segno import QRCode
from segno.helpers import make_epc_qr

from dunwell.domain.model import Value
from dunwell.texts.formatting import Formatter, OtherInvoice, in_fours

_EPC_MOST = Decimal("999999999.99")
_EPC_NAME, _EPC_TEXT, _EPC_BYTES = 70, 140, 331
"""What fits into the code, by the guideline EPC069-12: characters of the name and the text, bytes in all."""

_EPC_FRAME = 60  # bytes of everything but name, text and account


class Payee(Value):
    """To whom debtors pay, and on which account. `iban` and `bic` without spaces."""

    name: str
    iban: str
    bic: str | None = None


class PaymentSlip(Value):
    """`rows` are a label and what stands beside it; `code` is an SVG image, `scan` what to do with it."""

    title: str
    rows: tuple[tuple[str, str], ...]
    code: str | None
    scan: str


def payment_slip(
    payee: Payee, bills: Sequence[OtherInvoice], labels: Mapping[str, str], formatter: Formatter, today: date
) -> PaymentSlip:
    """The slip for all of `bills`, which are open; amounts and days as `formatter` writes them."""
    reference = ", ".join(bill.number for bill in bills)
    due = min(bill.due_on for bill in bills)
    rows = (
        ("payable_to", payee.name),
        ("account", in_fours(payee.iban)),
        ("bank", payee.bic),
        ("amount", formatter.totals(tuple(bills))),
        ("reference", reference),
        ("pay_by", formatter.day(due, today) if due >= today else None),
    )
    code = _code(payee, bills, reference)
    return PaymentSlip(
        title=labels["pay_slip"],
        rows=tuple((labels[label], text) for label, text in rows if text),
        code=code.svg_inline(border=4, omitsize=True) if code else None,
        scan=labels["scan_to_pay"],
    )


def _code(payee: Payee, bills: Sequence[OtherInvoice], reference: str) -> QRCode | None:
    """A SEPA credit transfer; None where none can be made: no euros, or more than fits."""
    total = sum((bill.asked for bill in bills), Decimal(0))
    name = payee.name[:_EPC_NAME]
    if any(bill.currency != "EUR" for bill in bills) or not 0 < total <= _EPC_MOST:
        return None
    if len(reference) > _EPC_TEXT or len((name + reference + payee.iban).encode()) > _EPC_BYTES - _EPC_FRAME:
        return None  # a transfer whose reference was cut off could not be told to its invoices
    return make_epc_qr(name, payee.iban, total, text=reference, bic=payee.bic, encoding="utf-8")
