"""Codes within a sentence, as people read them."""

import pytest

from dunwell.domain.plain_words import plain_word, with_plain_words


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (
            "5.00 EUR was paid, says accounts_payable. Look for it",
            "5.00 EUR was paid, says accounts payable. Look for it",
        ),
        ("by account_manager: hardship", "by our account manager: hardship"),
        ("the case is handed_over", "the case is handed over"),
        ("ended written_off: small-balance", "ended written off: small-balance"),
        ("call_back (at which hour); no_answer", "call back (at which hour); no answer"),
        ("mail to accounts_payable@acme.example", "mail to accounts_payable@acme.example"),
        ("task acme.accounts_payable.1.visit", "task acme.accounts_payable.1.visit"),
        ("see policies/handed_over.toml", "see policies/handed_over.toml"),
    ],
)
def test_a_code_in_a_sentence_is_words_and_one_in_an_id_or_an_address_is_not(text: str, shown: str) -> None:
    assert with_plain_words(text) == shown


def test_a_code_that_is_all_of_a_text_stays_for_programs_and_is_words_for_people() -> None:
    assert with_plain_words("accounts_payable") == "accounts_payable"
    assert plain_word("accounts_payable") == "accounts payable"
