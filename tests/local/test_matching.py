"""The commands about money that came in, on a real server: from an unknown payment to a paid invoice, and back."""

from datetime import UTC, datetime
from decimal import Decimal

from dunwell.domain.incoming import Incoming, Source
from dunwell.domain.payment_reference import grouped, reference_for
from dunwell.domain.principals import SYSTEM
from dunwell.services.incoming_payments import IncomingPayments
from dunwell.store.database import Database
from tests.local.conftest import Place, Run
from tests.local.test_starter import started


def come(place: Place, *payments: tuple[str, str]) -> list[str]:
    """Money with these texts; returns the entries."""
    database, now = Database(place.database_url), datetime.now(UTC)
    incoming = [
        Incoming(
            source=Source.BANK,
            identity=f"{text} {amount}",
            amount=Decimal(amount),
            currency="EUR",
            received_at=now,
            texts=(text,),
        )
        for text, amount in payments
    ]
    taken = IncomingPayments(database, unmatched_days=3).take(incoming, SYSTEM, now)
    database.close()
    return [one.entry_id for one in taken]


def test_a_payment_for_two_invoices_is_split_undone_and_set_aside(here: Place, run: Run) -> None:
    one = started(run, "MATCH-1", number="R-8001", amount="300.00", customer__id="C-M")
    two = started(run, "MATCH-2", number="R-8002", amount="200.00", customer__id="C-M")
    (entry,) = come(here, ("our last two", "500.00"))
    assert [row["entry_id"] for row in run("unmatched", "--json").json] == [entry]
    assert entry in run("unmatched").out
    refused = run("match", entry, f"{one}=300.00")
    assert (refused.code, refused.err) == (1, "refused: invoices: the amounts make 300.00, and 500.00 EUR came\n")
    booked = run("match", entry, f"{one}=300.00", two)
    assert booked.out == f"{entry}: 500.00 EUR booked on MATCH-1=300.00, MATCH-2=200.00\n"
    assert [run("status", name, "--json").json["stage"] for name in (one, two)] == ["paid", "paid"]
    assert run("unmatched").out == "All money that came in is matched.\n"
    assert "unmatched: the booking was undone" in run("match", entry, "--undo").out
    assert [run("status", name, "--json").json["amount_due"] for name in (one, two)] == ["300.00", "200.00"]
    assert "set aside: for no invoice" in run("match", entry, "--aside", "loan").out


def test_a_proposal_is_confirmed_and_the_preview_names_the_reference(here: Place, run: Run) -> None:
    invoice = started(run, "MATCH-3", number="R-8003", amount="300.00")
    assert grouped(reference_for([invoice])) in run("preview", "invoices.jsonl").out
    (entry,) = come(here, ("R-8003, a part", "120.00"))
    (waits,) = run("unmatched", "--json").json
    assert waits["proposals"][0]["reasons"][0] == "it names invoice R-8003"
    assert "may be for this invoice" in run("status", invoice).out
    assert "is not an amount" in run("match", entry, f"{invoice}=lots").err
    assert run("match", entry, "--proposal", "1").out == f"{entry}: 120.00 EUR booked on MATCH-3=120.00\n"
    assert run("status", invoice, "--json").json["amount_due"] == "180.00"
    assert "is confirmed" in run("match", entry, "--reject", "1").err


def test_one_thing_is_said_at_a_time(here: Place, run: Run) -> None:
    assert run("match", "E0").code == 2
    assert run("match", "E0", "INV-1", "--undo").code == 2
    unknown = run("match", "E0", "INV-1")
    assert unknown.code == 1 and "is no payment that came in" in unknown.err


def test_what_was_booked_and_never_told_is_told_by_the_hourly_comparison(here: Place, run: Run) -> None:
    """One payment for three invoices by the reference of each, one cent short: the ladder writes the cent off."""
    names = [
        started(run, f"MATCH-{number}", number=f"R-{number}", amount="100.00", customer__id="C-T")
        for number in (11, 12, 13)
    ]
    come(here, (" ".join(reference_for([name]) for name in names), "299.99"))
    assert run("unmatched").out == "All money that came in is matched.\n"
    assert run("reconcile", "--apply").code == 0
    found = [run("status", name, "--json").json for name in names]
    assert [(one["stage"], one["amount_due"]) for one in found] == [("paid", "0.00")] * 3
    assert "within the ladder's tolerance" in run("status", names[2]).out
