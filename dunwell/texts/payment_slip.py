"""The payment slip at the foot of a letter: payee, amount, reference, and for euros a QR code for banking apps."""

from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal

from segno import QRCode
from segno.helpers import make_epc_qr

from dunwell.domain.model import Value
from dunwell.texts.formatting import Claimed, Formatter, OtherInvoice, grouped_iban

_EPC_MOST = Decimal("999999999.99")
_EPC_NAME, _EPC_TEXT, _EPC_BYTES = 70, 140, 331
"""Limits of the QR code by the guideline EPC069-12: characters of the name and the text, bytes in all."""

_EPC_FRAME = 60  # bytes of everything but name, text and account


class Payee(Value):
    """The name and account to which customers pay. `iban` and `bic` have no spaces."""

    name: str
    iban: str
    bic: str | None = None


class PaymentSlip(Value):
    """A payment slip. `rows` are pairs of label and text, `code` is an SVG image, `scan` the text beside it."""

    title: str
    rows: tuple[tuple[str, str], ...]
    code: str | None
    scan: str


def payment_slip(
    payee: Payee,
    bills: Sequence[OtherInvoice],
    labels: Mapping[str, str],
    formatter: Formatter,
    today: date,
    claims: tuple[Claimed, ...] = (),
    until: date | None = None,
) -> PaymentSlip:
    """Return the slip for these open invoices and what is claimed beside them, as `formatter` writes it.

    until  the day by which the total is to be paid; None: the earliest due date that is to come
    """
    reference = ", ".join(bill.number for bill in bills)
    due = until or min(bill.due_on for bill in bills)
    rows = (
        ("payable_to", payee.name),
        ("account", grouped_iban(payee.iban)),
        ("bank", payee.bic),
        ("amount", formatter.totals(tuple(bills), claims)),
        ("reference", reference),
        ("pay_by", formatter.day(due, today) if due >= today else None),
    )
    code = _code(payee, bills, claims, reference)
    return PaymentSlip(
        title=labels["pay_slip"],
        rows=tuple((labels[label], text) for label, text in rows if text),
        code=code.svg_inline(border=4, omitsize=True) if code else None,
        scan=labels["scan_to_pay"],
    )


def _code(payee: Payee, bills: Sequence[OtherInvoice], claims: tuple[Claimed, ...], reference: str) -> QRCode | None:
    """Return the QR code of a SEPA credit transfer; None when the currency is not EUR or a value is too long."""
    total = sum((bill.asked for bill in bills), Decimal(0))
    total += sum((one.interest + one.costs + one.lump_sum for one in claims), Decimal(0))
    name = payee.name[:_EPC_NAME]
    if any(bill.currency != "EUR" for bill in bills) or not 0 < total <= _EPC_MOST:
        return None
    if len(reference) > _EPC_TEXT or len((name + reference + payee.iban).encode()) > _EPC_BYTES - _EPC_FRAME:
        return None  # a payment with a shortened reference could not be matched to its invoices
    return make_epc_qr(name, payee.iban, total, text=reference, bic=payee.bic, encoding="utf-8")
