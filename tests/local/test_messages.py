"""The page of all messages, and the check of the catalogue, from the command line."""

import re
import shutil
from decimal import Decimal
from html import unescape
from pathlib import Path

import pytest
from typer.testing import CliRunner

import starter
from dunwell.bootstrap import MESSAGES
from dunwell.commands.messages import show
from dunwell.commands.sample_messages import VARIANTS, sample, sample_customer
from dunwell.texts.catalogue import Catalogue

RUN = CliRunner()


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    return Catalogue.load(MESSAGES)


def test_the_page_shows_every_message_of_a_language_and_loads_nothing(catalogue: Catalogue, tmp_path: Path) -> None:
    out = tmp_path / "all.html"
    ran = RUN.invoke(starter.app, ["messages", "preview", "--language", "es", "--out", str(out)])
    assert (ran.exit_code, f"{out}: " in ran.output.replace("\n", "")) == (0, True)
    html = out.read_text(encoding="utf-8")
    asking = sum(traits.asks for traits in catalogue.traits.values())
    frames = re.findall(r'<iframe sandbox loading="lazy" title="([^"]*)" srcdoc="([^"]*)"', html)
    assert len(frames) == len(catalogue.keys) + asking + sum(map(len, VARIANTS.values()))
    anchors = [anchor for anchor, _ in frames]
    assert len(set(anchors)) == len(frames)
    assert set(anchors) >= {f"es-{key}" for key in catalogue.keys} | {
        f"es-{key}-grouped" for key, traits in catalogue.traits.items() if traits.asks
    }
    assert set(re.findall(r'href="#([^"]*)"', html)) == set(anchors)
    assert all(unescape(inner).startswith("<!doctype html>") for _, inner in frames)
    assert "<script" not in html
    assert not re.search(r'(src|href)="(?!#)', re.sub(r'srcdoc="[^"]*"', "", html))
    assert len(re.findall(r"\d+ characters, (GSM-7|UCS-2), \d parts?", html)) == len(frames)


def test_every_language_is_shown_with_money_of_its_own(catalogue: Catalogue) -> None:
    for one in show(catalogue, catalogue.languages):
        assert one.customer.region.partition("-")[0] == one.language.partition("-")[0]
        for text in (one.words.subject, one.words.text, one.words.short, one.words.call):
            assert text.strip()
        if one.traits.asks:
            assert "2027-0417" in one.words.short
        if one.variant == "a claim" or one.traits.accessory:
            assert "Dir. 2011/7/EU" in one.words.text
        if one.grouped:
            assert "2027-0502" in one.words.text


@pytest.mark.parametrize(
    ("language", "currency", "digits", "amount"),
    [
        ("es", "MXN", 2, "24800.00"),
        ("ru", "RUB", 2, "111600.00"),
        ("ja", "JPY", 0, "1240.00"),  # no entry: the money of the country where it is spoken
        ("fr", "EUR", 2, "1240.00"),
        ("pt-AO", "AOA", 2, "1240.00"),  # the region counts
    ],
)
def test_the_money_of_a_sample(language: str, currency: str, digits: int, amount: str) -> None:
    known = sample("reminder-first", sample_customer(language), grouped=False)
    assert (known.currency, known.digits, known.amount) == (currency, digits, Decimal(amount))


def test_c8_the_page_shows_what_is_said_only_sometimes(catalogue: Catalogue) -> None:
    shown = list(show(catalogue, ["en"]))
    plain = {one.key: one.words.text for one in shown if not one.label}
    apart = {(one.key, one.variant): one.words.text for one in shown if one.variant}
    assert all(text != plain[key] for (key, _), text in apart.items())
    for consequence, says in (
        ("legal", "goes to our legal department"),
        ("suspended", "the service will be suspended"),
        ("handed over", "handed over for formal collection"),
    ):
        assert says in apart["final-warning", consequence]
    assert "You paid £310.00 more" in apart["thank-you", "a credit"]
    assert "http" not in apart["reminder-first", "no link"].partition("Stop e-mails")[0]
    assert "the bank details are on the invoice" in apart["reminder-first", "no link"]
    assert "IBAN DE89 3704" in apart["promise-confirmed", "no link, our account"]
    assert (
        "The £620.00 instalment of our payment plan has not arrived; it was agreed for 15 March 2027"
        in (plain["instalment-missed"])
    )
    assert "The plan that we agreed on" not in plain["instalment-missed"]


def test_c10_the_page_shows_what_is_said_of_a_long_overdue_invoice(catalogue: Catalogue) -> None:
    shown = {one.label: one for one in show(catalogue, ["en"]) if one.key == "reminder-first"}
    assert shown["long overdue"].words.subject == "Invoice 2027-0417: overdue for 400 days"
    assert "We wrote" not in shown["long overdue"].words.text
    assert "We wrote to you about it on 2 March 2026 and 15 April 2026." in shown["long overdue, reminded"].words.text


def test_c8_no_sample_names_an_invoice_that_is_not_issued_yet(catalogue: Catalogue) -> None:
    for key in (key for key, traits in catalogue.traits.items() if traits.asks):
        known = sample(key, sample_customer("en"), grouped=True)
        assert all(bill.issued_on <= known.today for bill in known.bills), key


def test_an_unknown_language_is_refused() -> None:
    ran = RUN.invoke(starter.app, ["messages", "preview", "--language", "tlh"])
    assert ran.exit_code == 2
    assert "there are" in ran.output


def test_the_check_says_what_is_wrong(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    good = RUN.invoke(starter.app, ["messages", "check"])
    assert (good.exit_code, good.output.startswith("ok: ")) == (0, True)
    folder = tmp_path / "messages"
    folder.mkdir()
    shutil.copy(MESSAGES / "en.toml", folder)
    text = (folder / "en.toml").read_text(encoding="utf-8")
    (folder / "en.toml").write_text(text.replace("{{ falls_due }}", "{{ fals_due }}"), encoding="utf-8")
    monkeypatch.setattr("dunwell.commands.messages.MESSAGES", folder)
    bad = RUN.invoke(starter.app, ["messages", "check"])
    assert bad.exit_code == 1
    assert "did you mean 'falls_due'?" in " ".join(bad.output.split())
