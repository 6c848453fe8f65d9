"""What each role may do."""

import pytest

from dunwell.domain.events import PERSONAL_DECISIONS
from dunwell.domain.principals import Principal, PrincipalKind, Right, Role, right_for, rights_of

W = Right


@pytest.mark.parametrize(
    ("role", "may", "may_not"),
    [
        (Role.ADMINISTRATOR, list(Right), []),
        (
            Role.MANAGER,
            [W.APPROVALS_WRITE, W.WRITE_OFF_WRITE, W.CANCEL_WRITE, W.POLICIES_WRITE, W.AUDIT_READ],
            [W.USERS_READ],
        ),
        (Role.AGENT, [W.CASES_WRITE, W.TASKS_WRITE, W.PAYMENTS_WRITE, W.APPROVALS_READ], [W.APPROVALS_WRITE]),
        (
            Role.AGENT,
            [W.CUSTOMERS_WRITE],
            [W.WRITE_OFF_WRITE, W.CANCEL_WRITE, W.POLICIES_WRITE, W.KEYS_WRITE, W.SETTINGS_WRITE],
        ),
        (
            Role.BILLING,
            [W.INVOICES_WRITE, W.CANCEL_WRITE, W.PAYMENTS_WRITE],
            [W.CUSTOMERS_READ, W.CASES_WRITE, W.ACCESS_READ],
        ),
        (Role.PRODUCT, [W.ACCESS_READ], sorted(set(Right) - {W.ACCESS_READ})),
        (Role.AUDITOR, [one for one in Right if one.reads], [one for one in Right if not one.reads]),
    ],
)
def test_rights_of_a_role(role: Role, may: list[Right], may_not: list[Right]) -> None:
    assert rights_of(role) >= set(may)
    assert not rights_of(role) & set(may_not)


def test_every_event_that_people_tell_needs_a_right_to_write() -> None:
    assert not [event for event in PERSONAL_DECISIONS if right_for(event).reads]
    assert right_for("write_off") is Right.WRITE_OFF_WRITE
    assert right_for("cancel") is Right.CANCEL_WRITE
    with pytest.raises(KeyError):
        right_for("delivery_report")


@pytest.mark.parametrize(
    ("kind", "label"),
    [(PrincipalKind.PERSON, "user-7"), (PrincipalKind.COMMAND, "command"), (PrincipalKind.ENGINE, "engine")],
)
def test_label_of_a_principal_is_no_personal_name(kind: PrincipalKind, label: str) -> None:
    someone = Principal(
        kind=kind, id="ada.lopez" if kind is PrincipalKind.COMMAND else label, name="A", role=Role.AGENT
    )
    assert someone.label == label
