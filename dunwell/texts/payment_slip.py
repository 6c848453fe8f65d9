"""The payment slip at the foot of a letter: payee, amount, reference, and for euros a QR code for banking apps.

The reference is our own payment reference, which the QR code carries as a structured one (ISO 11649).
"""

from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal

from segno import QRCode
from segno.helpers import make_epc_qr

from dunwell.domain.model import Value
from dunwell.domain.payment_reference import grouped
from dunwell.texts.formatting import Claimed, Formatter, OtherInvoice, grouped_iban

_EPC_MOST = Decimal("999999999.99")
_EPC_NAME, _EPC_BYTES = 70, 331
"""Limits of the QR code by the guideline EPC069-12: characters of the name, bytes in all."""

_EPC_FRAME = 60  # bytes of everything but name, reference and account


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
    reference: str,
    bills: Sequence[OtherInvoice],
    labels: Mapping[str, str],
    formatter: Formatter,
    today: date,
    claims: tuple[Claimed, ...] = (),
    until: date | None = None,
) -> PaymentSlip:
    """Return the slip for these open invoices and what is claimed beside them, as `formatter` writes it.

    reference  the payment reference that stands for them
    until  the day by which the total is to be paid; None: the earliest due date that is to come
    """
    due = until or min(bill.due_on for bill in bills)
    rows = (
        ("payable_to", payee.name),
        ("account", grouped_iban(payee.iban)),
        ("bank", payee.bic),
        ("amount", formatter.totals(tuple(bills), claims)),
        ("reference", grouped(reference)),
        ("pay_by", formatter.day(due, today) if due >= today else None),
    )
    code = _code(payee, reference, bills, claims)
    return PaymentSlip(
        title=labels["pay_slip"],
        rows=tuple((labels[label], text) for label, text in rows if text),
        code=code.svg_inline(border=4, omitsize=True) if code else None,
        scan=labels["scan_to_pay"],
    )


def _code(payee: Payee, reference: str, bills: Sequence[OtherInvoice], claims: tuple[Claimed, ...]) -> QRCode | None:
    """Return the QR code of a SEPA credit transfer; None when the currency is not EUR or a value is too long."""
    total = sum((bill.asked for bill in bills), Decimal(0))
    total += sum((one.interest + one.costs + one.lump_sum for one in claims), Decimal(0))
    name = payee.name[:_EPC_NAME]
    if any(bill.currency != "EUR" for bill in bills) or not 0 < total <= _EPC_MOST:
        return None
    if len((name + reference + payee.iban).encode()) > _EPC_BYTES - _EPC_FRAME:
        return None
    return make_epc_qr(name, payee.iban, total, reference=reference, bic=payee.bic, encoding="utf-8")
