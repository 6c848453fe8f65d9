"""People are named by their role, and outside of the engine by their name."""

import pytest

from dunwell.domain.contact_labels import with_names, with_roles

NAMES = {"acme.accounts_payable.1": "Katrin Vogel", "acme.user.2": "Ben Ode"}


@pytest.mark.parametrize(
    ("text", "roles", "names"),
    [
        (
            "reminder-first by email to acme.accounts_payable.1: delivered",
            "reminder-first by email to accounts payable: delivered",
            "reminder-first by email to Katrin Vogel (accounts payable): delivered",
        ),
        ("acme.user.2 had 4 messages", "user 2 had 4 messages", "Ben Ode (user 2) had 4 messages"),
        ("call acme.manager.1.", "call manager.", "call manager."),
        ("paid, says link of user.2", "paid, says link of user 2", "paid, says link of Ben Ode (user 2)"),
        (
            "by link of accounts_payable.1:",
            "by link of accounts payable:",
            "by link of Katrin Vogel (accounts payable):",
        ),
        ("user.2 and blink of user.2", "user.2 and blink of user.2", "user.2 and blink of user.2"),
        # ids that only hold such an id stay whole
        ("task acme.user.2.visit", "task acme.user.2.visit", "task acme.user.2.visit"),
        ("invoice x.acme.user.2", "invoice x.acme.user.2", "invoice x.acme.user.2"),
        ("other.user.1", "other.user.1", "other.user.1"),
    ],
)
def test_d3_people_read_roles_and_names(text: str, roles: str, names: str) -> None:
    assert with_roles(text, "acme") == roles
    assert with_names(text, "acme", NAMES) == names
