"""The names of the figures, and how each is computed, in words for people."""

from collections.abc import Mapping
from typing import NamedTuple


class Words(NamedTuple):
    """`unit`: what follows the number."""

    title: str
    formula: str
    unit: str = ""


SALES = "Sales are the invoices known here, by their day of issue, without cancelled ones."
"""What the word sales means in all figures."""

WORDS: Mapping[str, Words] = {
    "dso": Words(
        "DSO", "Days sales outstanding: open receivables ÷ sales of the period × days of the period.", "days"
    ),
    "count_back": Words(
        "Count-back",
        "Months of sales are taken off the open receivables, the latest first, and their days are added; the last "
        "month counts in proportion.",
        "days",
    ),
    "bpdso": Words(
        "BPDSO",
        "Best possible DSO: receivables that are not late ÷ sales of the period × days of the period.",
        "days",
    ),
    "add": Words("ADD", "Average days delinquent: DSO − BPDSO.", "days"),
    "cei": Words(
        "CEI",
        "Collection effectiveness: (opening receivables + sales − closing receivables) ÷ (opening receivables + "
        "sales − closing receivables that are not late). 100 % is the best.",
        "%",
    ),
    "average_days_late": Words(
        "Average days late",
        "Of the invoices that fell due in the period: each part × the days from its due date until it was paid, or "
        "until now while it is open, ÷ the sum of the parts. Below zero: paid before the due date.",
        "days",
    ),
    "at_risk": Words(
        "At risk",
        "Of the invoices issued in the last twelve months: what is open and more than 90 days late ÷ what they "
        "amount to.",
        "%",
    ),
    "kept_share": Words(
        "Promises kept, by money",
        "Of the promises whose day lay in the period and that were kept or broken: the money that came by the day "
        "and its grace, and was not taken back ÷ the money promised. Replaced and open promises are left out.",
        "%",
    ),
    "kept_count_share": Words(
        "Promises kept, by number", "The same, by the number of promises that were kept as a whole.", "%"
    ),
    "contact_to_cash": Words(
        "Contact to cash",
        "The median of the days from the last contact that reached the customer to the money of the period. "
        "Contacts are delivered messages that ask for payment, and conversations.",
        "days",
    ),
}

AFTER_STEPS = (
    "A payment stands beside the last step that reached the customer in the 14 days before it. This is what it "
    "followed, and no proof that the step caused it."
)
ROLL_FORWARD = "opening + sales + amended − paid − given up = closing"
AGEING = "What is open, by the days after its due date. Disputed amounts are part of it, and marked."
