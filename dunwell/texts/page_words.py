"""The words of the pages for customers that each language must have, with the names in braces that are filled in."""

import re
from collections.abc import Mapping
from types import MappingProxyType

_BRACES = re.compile(r"\{(\w+)\}")

_PLAIN = """
invoices
language language_send paid_so_far settled cancelled handed_over closed
noted noted_plan noted_met noted_reply noted_paused noted_call
pay pay_now transfer
answer which which_all optional
promise promise_day promise_part promise_send promise_done promise_none
split split_parts split_first split_every split_week split_fortnight split_month split_send split_done
split_wish split_ask split_asked
wrong wrong_reason wrong_not_delivered wrong_quality wrong_price wrong_not_ordered wrong_twice wrong_details
wrong_other wrong_part wrong_text wrong_file wrong_file_means wrong_send wrong_done wrong_open
paid paid_on paid_amount paid_from paid_send paid_done
payer payer_means payer_first payer_name payer_email payer_send payer_done payer_asked payer_cap payer_ignore
call call_number call_at call_send call_done
stop_sure
scam scam_never scam_doubt contact privacy privacy_more advice advice_means
problem need_day day_past need_choice need_text bad_name bad_time bad_file big_file many_files
sent_before not_now too_often try_again
restriction_title restriction_full restriction_cause_one restriction_cause_all
restriction_sent restriction_spam restriction_pay restriction_transfer restriction_paid restriction_waiting
restriction_waiting_means restriction_waiting_over restriction_look_again restriction_overview
restriction_promise restriction_promise_means restriction_promise_send restriction_grace restriction_ask
need_tick restriction_refused restriction_later
"""

PAGES: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        **dict.fromkeys(_PLAIN.split(), frozenset[str]()),
        "intro": frozenset({"company"}),
        "as_of": frozenset({"day"}),
        "noted_promise": frozenset({"amount", "day"}),
        "noted_promise_left": frozenset({"amount", "day", "left"}),
        "noted_payment": frozenset({"amount", "day"}),
        "noted_call_at": frozenset({"day", "time"}),
        "noted_dispute": frozenset({"amount"}),
        "promise_broken": frozenset({"day"}),
        "upheld": frozenset({"day"}),
        "rejected": frozenset({"day"}),
        "adjusted": frozenset({"amount", "day"}),
        "pay_number": frozenset({"number"}),
        "document": frozenset({"number"}),
        "promise_until": frozenset({"first", "last"}),
        "split_until": frozenset({"day"}),
        "payer_named": frozenset({"names"}),
        "payer_subject": frozenset({"who"}),
        "payer_hello": frozenset({"name"}),
        "payer_mail": frozenset({"address", "company", "who"}),
        "call_on_file": frozenset({"number"}),
        "scam_site": frozenset({"host"}),
        "scam_mail": frozenset({"address"}),
        "privacy_means": frozenset({"company"}),
        "bad_day": frozenset({"example"}),
        "day_between": frozenset({"first", "last"}),
        "bad_amount": frozenset({"example"}),
        "amount_most": frozenset({"amount"}),
        "too_long": frozenset({"count"}),
        "bad_email": frozenset({"example"}),
        "bad_phone": frozenset({"example"}),
        "restriction_account": frozenset({"name"}),
        "restriction_restricted": frozenset({"day"}),
        "restriction_suspended": frozenset({"day"}),
        "restriction_work": frozenset({"day"}),
        "restriction_back": frozenset({"day"}),
        "restriction_invoice": frozenset({"day", "number"}),
        "restriction_by_email": frozenset({"address", "day"}),
        "restriction_by_sms": frozenset({"address", "day"}),
        "restriction_by_whatsapp": frozenset({"address", "day"}),
        "restriction_by_letter": frozenset({"day"}),
        "restriction_promise_day": frozenset({"last"}),
        "restriction_promised": frozenset({"amount", "day"}),
        "restriction_grace_means": frozenset({"day", "number"}),
        "restriction_grace_agree": frozenset({"day"}),
        "restriction_grace_send": frozenset({"day"}),
        "restriction_grace_runs": frozenset({"day", "number"}),
        "restriction_ask_who": frozenset({"company", "name"}),
        "restriction_ask_write": frozenset({"address"}),
        "restriction_ask_call": frozenset({"phone"}),
        "restriction_refused_day": frozenset({"first", "last"}),
    }
)


def filled(text: str, facts: Mapping[str, str]) -> str:
    """Return a text with its braces filled in, all at once: what a person typed may hold braces of its own."""
    return _BRACES.sub(lambda found: facts.get(found[1], found[0]), text)
