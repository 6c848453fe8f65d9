"""The links of customers on one machine: a secret made once, and links that work only here stay here."""

from pathlib import Path

from pydantic import NameEmail, SecretStr

from dunwell.local.up import LINK_SECRET_FILE, customer_links
from dunwell.settings import Settings

HERE = "127.0.0.1:8080"


def test_a_secret_is_made_once_for_its_owner_alone(tmp_path: Path) -> None:
    first = customer_links(Settings(), tmp_path, HERE)
    assert first["PUBLIC_URL"] == f"http://{HERE}" and len(first["LINK_SECRET"]) == 64
    assert customer_links(Settings(), tmp_path, HERE) == first
    assert (tmp_path / LINK_SECRET_FILE).stat().st_mode & 0o077 == 0


def test_what_is_set_stays(tmp_path: Path) -> None:
    both = Settings(public_url="https://due.example", link_secret=SecretStr("x" * 32))
    assert customer_links(both, tmp_path, HERE) == {}
    address = Settings(public_url="https://due.example")
    assert set(customer_links(address, tmp_path, HERE)) == {"LINK_SECRET"}


def test_no_link_to_this_machine_is_sent_to_a_customer(tmp_path: Path) -> None:
    by_provider = Settings(
        sendgrid_api_key=SecretStr("SG." + "x" * 20), mail_from=NameEmail("Ana Lopez", "ana@due.example")
    )
    assert customer_links(by_provider, tmp_path, HERE) == {}
