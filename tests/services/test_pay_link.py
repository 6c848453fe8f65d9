"""The short link to the payment page: in an SMS, where characters cost money, and nowhere else."""

from dataclasses import replace

import pytest

from dunwell.domain.invoice import Customer
from dunwell.texts.sms import sms_cost
from tests.builders import a_contact, a_customer, an_invoice
from tests.services.conftest import ServiceHarness

LONG = "https://pay.example/checkout/c/pay/cs_live_" + "a1b2c3d4e5" * 12
BY_SMS = a_customer(contacts=(a_contact(email=None, phone="+34600123456"),))


def body_of(harness: ServiceHarness, customer: Customer, url: str, links: str | None) -> str:
    harness = ServiceHarness(replace(harness.deps, pay_links=links))
    harness.open(an_invoice(customer=customer, payment_url=url))
    harness.carry_out("first-reminder", "2027-03-02 09:00")
    return harness.messages()[0].body


@pytest.mark.parametrize(
    ("customer", "url", "links", "short"),
    [
        pytest.param(BY_SMS, LONG, "https://due.example/p/", True, id="an SMS"),
        pytest.param(BY_SMS, LONG, None, False, id="no public address to link to"),
        pytest.param(BY_SMS, "https://x.example/1", "https://due.example/p/", False, id="the page's own is shorter"),
        pytest.param(a_customer(), LONG, "https://due.example/p/", False, id="a mail has room"),
    ],
)
def test_where_the_short_link_stands(
    customer: Customer, url: str, links: str | None, short: bool, harness: ServiceHarness
) -> None:
    body = body_of(harness, customer, url, links)
    assert ("https://due.example/p/" in body, url in body) == (short, not short)


def test_it_spares_a_message(harness: ServiceHarness) -> None:
    assert sms_cost(body_of(harness, BY_SMS, LONG, "https://due.example/p/")).parts == 1
