"""The short link of an SMS: where it leads, and what it tells to those who try codes."""

import pytest

from dunwell.store.tables import InvoiceRow
from tests.builders import an_invoice
from tests.web.conftest import CUSTOMER, Site

LONG = "https://pay.example/checkout/c/pay/cs_live_a1b2c3d4e5f6g7h8i9#fidkdWxOYHwn"


def code_of(site: Site, invoice_id: str) -> str:
    with site.database.reading() as session:
        row = session.get(InvoiceRow, invoice_id)
        assert row is not None
        return str(row.pay_code)


async def test_a_short_link_leads_to_the_invoices_own_page(each_site: Site) -> None:
    site = each_site
    site.case(an_invoice(payment_url=LONG, customer=CUSTOMER))
    site.case(an_invoice(invoice_id="inv-2", customer=CUSTOMER))
    codes = [code_of(site, "inv-1"), code_of(site, "inv-2")]
    answers = [await site.http.get(f"/p/{code}", follow_redirects=False) for code in codes]
    assert [one.status_code for one in answers] == [302, 302]
    assert [one.headers["location"] for one in answers] == [LONG, "https://pay.example/inv-1"]
    assert answers[0].headers["cache-control"] == "no-store"
    assert len(codes[0]) == 8


@pytest.mark.parametrize("code", ["abcdefgh", "inv-1", "a" * 500, "%00%00%00%00%00%00%00%00", "ab%27%20or%201"])
async def test_a_code_that_nobody_made_is_not_repeated(site: Site, code: str) -> None:
    site.case()
    answer = await site.http.get(f"/p/{code}", follow_redirects=False)
    assert answer.status_code == 404
    assert code not in answer.text
