"""When so many cases differ that one side was restored from a backup."""

import pytest

from dunwell.domain.reconciliation_report import Finding, Kind, Report
from tests.builders import at


def a_report(cases: int, differing: int, kind: Kind = Kind.APART) -> Report:
    findings = [Finding(kind=kind, invoice_id=f"inv-{n}", found="", remedy="") for n in range(differing)]
    return Report(at=at("2027-03-01 09:00"), by="test", cases=cases, findings=findings)


@pytest.mark.parametrize(
    ("cases", "differing", "restored"),
    [
        (10, 0, False),
        (1, 1, False),  # a slip of the mouse in a small installation
        (5, 2, False),
        (5, 3, True),
        (299, 3, True),  # more than one in a hundred
        (300, 3, False),
        (5000, 20, False),
        (5000, 21, True),
        (5000, 50, True),
    ],
)
def test_g13_many_differences_are_a_restore(cases: int, differing: int, restored: bool) -> None:
    assert a_report(cases, differing).looks_restored() is restored


def test_g13_leftovers_are_no_sign_of_a_restore() -> None:
    assert not a_report(50, 40, Kind.TASK).looks_restored()
    assert not a_report(50, 40, Kind.UNSTARTED).looks_restored()


def test_g13_a_case_counts_once() -> None:
    report = a_report(50, 2)
    report.findings = report.findings * 20
    assert report.differing == 2


def test_g13_many_failing_cases_are_a_fault_of_the_release() -> None:
    assert not a_report(5000, 20, Kind.FAILING).many_fail
    report = a_report(5000, 21, Kind.FAILING)
    assert report.many_fail and not report.looks_restored()
