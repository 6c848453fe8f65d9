"""Whom a step reaches by what the contacts have."""

import pytest

from dunwell.domain.channels import Channel
from dunwell.domain.contact import Contact
from dunwell.domain.recipients import audience
from dunwell.domain.terms import Role

AP, USER, OURS = Role.ACCOUNTS_PAYABLE, Role.USER, Role.ACCOUNT_MANAGER
EMAIL, SMS, CALL, LETTER = Channel.EMAIL, Channel.SMS, Channel.CALL, Channel.LETTER


def person(role: Role, number: int = 1, **addresses: str) -> Contact:
    return Contact(contact_id=f"c.{role}.{number}", role=role, name="Ada", **addresses)


MAILED, PHONED = person(AP, email="ap@x.example"), person(USER, phone="+4930123456")


@pytest.mark.parametrize(
    ("contacts", "to", "by", "reached"),
    [
        ([MAILED], [AP, USER], [EMAIL, SMS], ["accounts_payable by email"]),
        ([MAILED, PHONED], [AP, USER], [EMAIL, SMS], ["accounts_payable by email", "user by sms"]),
        ([MAILED, PHONED], [USER], [EMAIL], ["accounts_payable by email instead"]),
        ([MAILED], [USER], [SMS, LETTER], []),
        ([MAILED, person(OURS, email="o@x.example")], [OURS], [EMAIL], ["account_manager by email"]),
        ([person(OURS, email="o@x.example"), PHONED], [AP, OURS], [SMS, EMAIL], [
            "account_manager by email", "user by sms instead",
        ]),
        ([], [AP], [EMAIL], []),
    ],
)  # fmt: skip
def test_e13_a_step_reaches_whom_there_is_by_what_they_have(
    contacts: list[Contact], to: list[Role], by: list[Channel], reached: list[str]
) -> None:
    found = audience(contacts, to, by, named_only=False)
    assert [f"{one.role} by {one.channel}{' instead' if one.instead else ''}" for one in found] == reached


def test_e13_a_ladder_for_the_named_only_reaches_nobody_else() -> None:
    assert audience([MAILED, PHONED], [USER], [EMAIL], named_only=True) == ()
