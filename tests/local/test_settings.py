"""What the environment may say, and what is refused."""

import shutil
import traceback
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import ValidationError

from dunwell.local.up import absolute_database, published
from dunwell.settings import Settings, SettingsError, load_settings, temporal_connect

ROOT = Path(__file__).resolve().parents[2]
SECRET = "SG.very-secret-value"

LOB = {"LOB_API_KEY": SECRET, "SENDER_COMPANY": "Looms Ltd", "SENDER_ADDRESS": "4 Mill Lane; Springfield, IL 62701"}
SENDGRID = {"SENDGRID_API_KEY": SECRET, "MAIL_FROM": "Ana Lopez <billing@example.com>"}
TWILIO = {"TWILIO_ACCOUNT_SID": "AC1", "TWILIO_AUTH_TOKEN": SECRET, "TWILIO_FROM": "+15005550006"}
LINKS = {"PUBLIC_URL": "https://dunning.example"}
OIDC = {"OIDC_ISSUER": "https://id.example", "OIDC_CLIENT_ID": "dunwell", "OIDC_CLIENT_SECRET": SECRET}
PRODUCT = {"PRODUCT_ACCESS_URL": "https://product.example/hook", "PRODUCT_ACCESS_SECRET": SECRET}


def set_all(monkeypatch: pytest.MonkeyPatch, values: dict[str, str]) -> None:
    for name, value in values.items():
        monkeypatch.setenv(name, value)


def without(values: dict[str, str], *names: str) -> dict[str, str]:
    return {name: value for name, value in values.items() if name not in names}


def refusal() -> str:
    with pytest.raises(SettingsError) as caught:
        load_settings()
    return str(caught.value)


def test_nothing_set_gives_the_embedded_default() -> None:
    settings = load_settings()
    assert settings.database_url == "sqlite:///.dunwell/dunwell.sqlite"
    assert settings.dunwell_state == Path(".dunwell")
    assert (settings.sendgrid_api_key, settings.twilio_account_sid, settings.product_access_url) == (None,) * 3
    assert temporal_connect(settings) == {"target_host": "127.0.0.1:7233", "namespace": "default"}


def test_every_value_arrives(monkeypatch: pytest.MonkeyPatch) -> None:
    set_all(monkeypatch, SENDGRID | TWILIO | PRODUCT | {"METRICS_ADDRESS": "[::1]:9000", "SENDER_COMPANY": "Acme"})
    settings = load_settings()
    assert settings.mail_from is not None
    assert (settings.mail_from.name, settings.mail_from.email) == ("Ana Lopez", "billing@example.com")
    assert settings.sendgrid_api_key is not None
    assert settings.sendgrid_api_key.get_secret_value() == SECRET
    assert (settings.twilio_from, settings.sender_company) == ("+15005550006", "Acme")
    assert settings.metrics_address == "[::1]:9000"


@pytest.mark.parametrize(
    ("values", "said"),
    [
        # a key without its partner
        pytest.param(without(SENDGRID, "MAIL_FROM"), ["SENDGRID_API_KEY", "MAIL_FROM"], id="mail sender"),
        pytest.param(without(TWILIO, "TWILIO_AUTH_TOKEN"), ["TWILIO_AUTH_TOKEN is not"], id="token"),
        pytest.param(without(TWILIO, "TWILIO_FROM"), ["TWILIO_FROM is not"], id="number"),
        pytest.param(
            without(TWILIO, "TWILIO_FROM", "TWILIO_AUTH_TOKEN"),
            ["TWILIO_AUTH_TOKEN and TWILIO_FROM are not"],
            id="account alone",
        ),
        pytest.param(without(TWILIO, "TWILIO_ACCOUNT_SID"), ["TWILIO_ACCOUNT_SID is not"], id="account"),
        pytest.param(without(PRODUCT, "PRODUCT_ACCESS_SECRET"), ["PRODUCT_ACCESS_SECRET is not"], id="secret"),
        pytest.param(without(PRODUCT, "PRODUCT_ACCESS_URL"), ["PRODUCT_ACCESS_URL is not"], id="url"),
        pytest.param(SENDGRID | {"MAIL_FROM": "  "}, ["MAIL_FROM is not"], id="blank partner"),
        pytest.param(without(LOB, "SENDER_ADDRESS"), ["LOB_API_KEY", "SENDER_ADDRESS is not"], id="sender's address"),
        pytest.param({"SENDER_BIC": "COBADEFFXXX"}, ["SENDER_BIC", "SENDER_IBAN is not"], id="bank without account"),
        # values of a wrong shape
        pytest.param({"SENDER_ADDRESS": "Berlin"}, ["SENDER_ADDRESS", "'Berlin'", "semicolons"], id="one line"),
        pytest.param({"SENDER_ADDRESS": "a;b;c;d;e;f;g"}, ["SENDER_ADDRESS", "2 to 6 lines"], id="seven lines"),
        pytest.param(
            {"ENVELOPE_WINDOW": "top"}, ["ENVELOPE_WINDOW", "'left' or 'right'"], id="no side of an envelope"
        ),
        pytest.param({"SENDER_IBAN": "DE89370400440532013001"}, ["SENDER_IBAN", "check digits"], id="IBAN mistyped"),
        pytest.param({"SENDER_IBAN": "370400440532013000"}, ["SENDER_IBAN", "IBAN"], id="no IBAN"),
        pytest.param(
            {"SENDER_IBAN": "DE89370400440532013000", "SENDER_BIC": "COBA"}, ["SENDER_BIC", "8 or 11"], id="short BIC"
        ),
        pytest.param({"LOB_API_URL": "api.lob"}, ["LOB_API_URL", "https://"], id="no scheme of Lob"),
        pytest.param({"AGENT_LANGUAGE": "English, mostly"}, ["AGENT_LANGUAGE", "pt-BR"], id="no language"),
        pytest.param({"SENDGRID_PER_SECOND": "0"}, ["SENDGRID_PER_SECOND", "greater than"], id="no pace"),
        pytest.param({"WORKER_CACHED_CASES": "many"}, ["WORKER_CACHED_CASES", "integer"], id="no number"),
        pytest.param({"TEMPORAL_ADDRESS": "localhost"}, ["TEMPORAL_ADDRESS", "'localhost'", "host:port"], id="port"),
        pytest.param({"TEMPORAL_ADDRESS": "http://a:1"}, ["TEMPORAL_ADDRESS", "host:port"], id="scheme"),
        pytest.param({"METRICS_ADDRESS": "0.0.0.0:70000"}, ["METRICS_ADDRESS", "host:port"], id="port too high"),
        pytest.param({"MAIL_FROM": "Ana"}, ["MAIL_FROM", "'Ana'", "<billing@example.com>"], id="no address"),
        pytest.param({"MAIL_FROM": "Lopez, Ana <a@example.com>"}, ["MAIL_FROM", "quote"], id="comma"),
        pytest.param({"UNSUBSCRIBE_SECRET": "x" * 32}, ["UNSUBSCRIBE_SECRET", "PUBLIC_URL"], id="links to nowhere"),
        pytest.param({"LINK_SECRET": "x" * 32}, ["LINK_SECRET", "PUBLIC_URL"], id="pages nowhere"),
        pytest.param(LINKS | {"LINK_SECRET": "x" * 32 + ",short"}, ["16 characters"], id="weak former secret"),
        pytest.param(LINKS | {"UNSUBSCRIBE_SECRET": "short"}, ["16 characters", "openssl"], id="weak secret"),
        pytest.param(LINKS | {"UNSUBSCRIBE_SECRET": "x" * 32 + ","}, ["16 characters"], id="empty former secret"),
        pytest.param({"SENDGRID_API_URL": "api.example"}, ["SENDGRID_API_URL", "https://"], id="no scheme"),
        pytest.param({"DATABASE_URL": "mysql://u@h/d"}, ["DATABASE_URL", "postgresql"], id="other database"),
        pytest.param({"DATABASE_URL": "sqlite:///:memory:"}, ["DATABASE_URL"], id="database in memory"),
        pytest.param({"DATABASE_URL": "sqlite://"}, ["DATABASE_URL"], id="database in memory, short"),
        pytest.param({"SENDER_IBAN_EUR": "DE00"}, ["SENDER_IBAN_EUR: ", "not an IBAN"], id="account of a currency"),
        pytest.param(
            {"SENDER_IBAN_XYZ": "DE89370400440532013000"}, ["SENDER_IBAN_XYZ: ", "no currency"], id="no currency"
        ),
        pytest.param({"SENDER_BIC_EUR": "COBADEFFXXX"}, ["SENDER_BIC_EUR", "SENDER_IBAN_EUR"], id="bank alone"),
        pytest.param(
            {"SENDER_COUNTRY": "SG"}, ["SENDER_COUNTRY", "'SG'", "known are AR, AT"], id="country without law"
        ),
        pytest.param({"SENDER_COUNTRY": "de"}, ["SENDER_COUNTRY", "did you mean 'DE'?"], id="country mistyped"),
        pytest.param({"SENDER_PHONE": "030 901820"}, ["SENDER_PHONE", "+49"], id="phone without its country"),
    ],
)
def test_refusals_say_what_to_set(monkeypatch: pytest.MonkeyPatch, values: dict[str, str], said: list[str]) -> None:
    set_all(monkeypatch, values)
    line = refusal()
    assert "\n" not in line
    for part in said:
        assert part in line


@pytest.mark.parametrize(
    ("written", "lines"),
    [
        ("Mill Lane 4; 10115 Berlin", ("Mill Lane 4", "10115 Berlin")),
        ("Mill Lane 4;10115 Berlin;; Germany;", ("Mill Lane 4", "10115 Berlin", "Germany")),
        ("Mill Lane 4\n10115 Berlin", ("Mill Lane 4", "10115 Berlin")),
        (r"Mill Lane 4\n10115 Berlin", ("Mill Lane 4", "10115 Berlin")),
    ],
    ids=["semicolons", "blank lines", "line breaks", "line breaks of a file"],
)
def test_our_address_is_read_line_by_line(
    monkeypatch: pytest.MonkeyPatch, written: str, lines: tuple[str, ...]
) -> None:
    set_all(monkeypatch, {"SENDER_ADDRESS": written})
    assert load_settings().sender_address == lines


def test_c5_accounts_by_currency(monkeypatch: pytest.MonkeyPatch) -> None:
    Path(".env").write_text("SENDER_IBAN_USD=GB29NWBK60161331926819\nSENDER_IBAN_CHF=\nSENDER_BIC_USD=NWBKGB2L\n")
    set_all(monkeypatch, {"SENDER_IBAN_EUR": "de89 3704 0044 0532 0130 00", "SENDER_PHONE": "+4930901820"})
    settings = load_settings()
    assert settings.sender_iban_by_currency == {"EUR": "DE89370400440532013000", "USD": "GB29NWBK60161331926819"}
    assert settings.sender_bic_by_currency == {"USD": "NWBKGB2L"}
    assert settings.sender_iban is None
    assert settings.sender_phone == "+49 30 901820"


def test_account_and_bank_are_kept_without_spaces(monkeypatch: pytest.MonkeyPatch) -> None:
    set_all(monkeypatch, {"SENDER_IBAN": "gb29 nwbk 6016 1331 9268 19", "SENDER_BIC": "nwbk gb 2l"})
    settings = load_settings()
    assert (settings.sender_iban, settings.sender_bic) == ("GB29NWBK60161331926819", "NWBKGB2L")


@pytest.mark.parametrize(
    "name",
    [
        "SENDGRID_API_KEY",
        "TWILIO_AUTH_TOKEN",
        "LOB_API_KEY",
        "LOB_WEBHOOK_SECRET",
        "PRODUCT_ACCESS_SECRET",
        "CODEC_TOKEN",
        "OIDC_CLIENT_SECRET",
        "UNSUBSCRIBE_SECRET",
        "LINK_SECRET",
    ],
)
def test_f4_a_secret_of_fewer_than_sixteen_characters_is_refused(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    partners = SENDGRID | TWILIO | LOB | PRODUCT | LINKS | OIDC | {"PAYLOAD_KEYS": "k:" + "A" * 43 + "="}
    set_all(monkeypatch, partners | {name: "fifteen-letters"})
    (line,) = refusal().splitlines()
    assert line.startswith(f"{name}: shorter than 16 characters")
    assert "fifteen" not in line


def test_every_problem_has_its_line(monkeypatch: pytest.MonkeyPatch) -> None:
    set_all(monkeypatch, {"SENDGRID_API_KEY": SECRET, "TWILIO_ACCOUNT_SID": "AC1"})
    assert [line.split()[0] for line in refusal().splitlines()] == ["SENDGRID_API_KEY", "TWILIO_ACCOUNT_SID"]


@pytest.mark.parametrize(
    "values",
    [
        pytest.param({"SENDGRID_API_KEY": SECRET}, id="partner missing"),
        pytest.param(SENDGRID | {"TEMPORAL_ADDRESS": "nowhere"}, id="another field wrong"),
        pytest.param({"UNSUBSCRIBE_SECRET": f"{SECRET},x"}, id="one good secret and a weak one"),
        pytest.param({"DATABASE_URL": f"mysql://u:{SECRET}@h/d"}, id="password in a refused database"),
        pytest.param(PRODUCT | {"PRODUCT_ACCESS_URL": f"product.example/{SECRET}"}, id="key in a refused address"),
    ],
)
def test_a_refusal_never_shows_a_secret(monkeypatch: pytest.MonkeyPatch, values: dict[str, str]) -> None:
    set_all(monkeypatch, values)
    with pytest.raises(SettingsError) as caught:
        load_settings()
    assert SECRET not in "".join(traceback.format_exception(caught.value))
    assert caught.value.__context__ is None


def test_printed_settings_show_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    set_all(monkeypatch, SENDGRID | TWILIO | PRODUCT | {"DATABASE_URL": f"postgresql://u:{SECRET}@h/d"})
    settings = load_settings()
    assert SECRET in settings.database_url
    assert SECRET not in f"{settings} {settings!r}"


def test_settings_do_not_change() -> None:
    with pytest.raises(ValidationError):
        load_settings().sender_company = "other"  # type: ignore[misc]


@pytest.mark.parametrize(
    ("environment", "dot_env", "up_env", "expected"),
    [
        pytest.param("env:1", "file:1", "up:1", "env:1", id="the environment wins"),
        pytest.param(None, "file:1", "up:1", "file:1", id="then .env"),
        pytest.param(None, None, "up:1", "up:1", id="then up.env"),
        pytest.param(None, None, None, "127.0.0.1:7233", id="then the default"),
        pytest.param("", "", "up:1", "up:1", id="blank is unset"),
        pytest.param(" ", None, None, "127.0.0.1:7233", id="space is blank"),
    ],
)
def test_order_of_sources(
    monkeypatch: pytest.MonkeyPatch,
    environment: str | None,
    dot_env: str | None,
    up_env: str | None,
    expected: str,
) -> None:
    if environment is not None:
        monkeypatch.setenv("TEMPORAL_ADDRESS", environment)
    if dot_env is not None:
        Path(".env").write_text(f"TEMPORAL_ADDRESS={dot_env}\nUNKNOWN_NAME=ignored\n")
    if up_env is not None:
        Path(".dunwell").mkdir()
        Path(".dunwell/up.env").write_text(f"TEMPORAL_ADDRESS='{up_env}'\n")
    settings = load_settings()
    assert settings.temporal_address == expected
    assert temporal_connect(settings)["target_host"] == expected


@pytest.mark.parametrize("source", ["environment", "dot_env"])
def test_the_state_folder_holds_up_env_and_database(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, source: str
) -> None:
    state = tmp_path / "elsewhere"
    state.mkdir()
    (state / "up.env").write_text("TEMPORAL_ADDRESS=up:1\n")
    if source == "environment":
        monkeypatch.setenv("DUNWELL_STATE", str(state))
    else:
        Path(".env").write_text(f"DUNWELL_STATE={state}\n")
    assert load_settings().temporal_address == "up:1"
    assert load_settings().database_url == f"sqlite:///{state}/dunwell.sqlite"
    assert load_settings(up_env=False).temporal_address == "127.0.0.1:7233"


def test_a_file_that_is_no_text_is_refused() -> None:
    Path(".env").write_bytes(b"SENDGRID_API_KEY=\xff\xfe\n")
    assert "UTF-8" in refusal()


PROFILE = '[profile.default]\naddress = "cloud.example:7233"\nnamespace = "acme"\n'


@pytest.mark.parametrize(
    ("environment", "profile", "expected"),
    [
        # the profile outranks up.env, which is a pair of its own and lends nothing
        pytest.param({}, PROFILE, {"target_host": "cloud.example:7233", "namespace": "acme"}, id="profile"),
        pytest.param(
            {},
            '[profile.default]\naddress = "cloud.example:7233"\n',
            {"target_host": "cloud.example:7233"},
            id="half",
        ),
        pytest.param(
            {"TEMPORAL_ADDRESS": "env:1", "TEMPORAL_NAMESPACE": ""},
            PROFILE,
            {"target_host": "env:1", "namespace": "acme"},
            id="environment over profile, blank namespace unset",
        ),
        pytest.param({}, None, {"target_host": "up:1", "namespace": "up"}, id="up.env"),
        pytest.param(
            {"TEMPORAL_NAMESPACE": "mine"},
            None,
            {"target_host": "up:1", "namespace": "mine"},
            id="own namespace",
        ),
        pytest.param(
            {"TEMPORAL_ADDRESS": "env:1", "TEMPORAL_API_KEY": "k"},
            None,
            {"target_host": "env:1", "api_key": "k", "tls": True},
            id="API key turns TLS on",
        ),
    ],
)
def test_temporal_connect(
    monkeypatch: pytest.MonkeyPatch,
    environment: dict[str, str],
    profile: str | None,
    expected: dict[str, object],
) -> None:
    Path(".dunwell").mkdir()
    Path(".dunwell/up.env").write_text("TEMPORAL_ADDRESS=up:1\nTEMPORAL_NAMESPACE=up\n")
    if profile is not None:
        Path("temporal.toml").write_text(profile)
        monkeypatch.setenv("TEMPORAL_CONFIG_FILE", "temporal.toml")
    set_all(monkeypatch, environment)
    assert temporal_connect(load_settings()) == expected


def test_temporal_names_may_stand_in_dot_env() -> None:
    Path(".env").write_text("TEMPORAL_ADDRESS=env:1\nTEMPORAL_API_KEY=k\n")
    assert temporal_connect(load_settings()) == {"target_host": "env:1", "api_key": "k", "tls": True}


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        pytest.param({"TEMPORAL_API_KEY": SECRET}, "TEMPORAL_ADDRESS", id="key without address"),
        pytest.param({"TEMPORAL_TLS": "true"}, "TEMPORAL_ADDRESS", id="TLS without address"),
        pytest.param({"TEMPORAL_PROFILE": "nosuch"}, "'nosuch'", id="unknown profile"),
        pytest.param({"TEMPORAL_CONFIG_FILE": "broken.toml"}, "line 2", id="broken profile file"),
        pytest.param(
            {"TEMPORAL_ADDRESS": "a:1", "TEMPORAL_TLS_CLIENT_CERT_PATH": "nosuch.pem"},
            "nosuch.pem",
            id="no certificate",
        ),
    ],
)
def test_a_connection_that_cannot_be_meant_is_refused(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], said: str
) -> None:
    Path("broken.toml").write_text(f'[profile.default]\napi_key = "{SECRET}\n')
    set_all(monkeypatch, environment)
    with pytest.raises(SettingsError, match=said) as caught:
        temporal_connect(load_settings())
    assert SECRET not in "".join(traceback.format_exception(caught.value))


def test_the_example_lists_every_variable_and_changes_nothing() -> None:
    lines = (ROOT / ".env.example").read_text(encoding="utf-8").splitlines()
    named = [(above, line.removesuffix("=")) for above, line in pairwise(lines) if "=" in line[-1:]]
    by_currency = {f"{name}_by_currency".lower() for name in ("SENDER_IBAN", "SENDER_BIC")}
    assert {name.lower() for _, name in named} >= set(Settings.model_fields) - by_currency
    assert all(above.startswith("# ") for above, _ in named)
    before = load_settings()
    shutil.copy(ROOT / ".env.example", ".env")
    assert load_settings() == before
    assert temporal_connect(load_settings()) == temporal_connect(before)


@example("a'b\\ #${HOME}")
@given(st.text(st.characters(codec="utf-8", exclude_categories=["C"]), min_size=1))
def test_what_up_leaves_is_read_back_unchanged(password: str) -> None:
    state = Path(".dunwell")
    state.mkdir(exist_ok=True)
    url = f"postgresql://u:x{password}x@h/d"
    with published(state, {"DATABASE_URL": url}):
        assert load_settings().database_url == url
        assert (state / "up.env").stat().st_mode & 0o077 == 0
    assert list(state.iterdir()) == []


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("sqlite:///a/b.sqlite", "sqlite:///{here}/a/b.sqlite"),
        ("sqlite+pysqlite:///b.sqlite?timeout=5", "sqlite+pysqlite:///{here}/b.sqlite?timeout=5"),
        ("sqlite:////full/b.sqlite", "sqlite:////full/b.sqlite"),
        ("sqlite:///file:b.sqlite?uri=true", "sqlite:///file:b.sqlite?uri=true"),
        ("postgresql://u@h/d", "postgresql://u@h/d"),
    ],
)
def test_an_sqlite_file_is_announced_by_its_full_path(url: str, expected: str, tmp_path: Path) -> None:
    assert absolute_database(url) == expected.format(here=tmp_path)


@pytest.mark.parametrize(("issuer", "taken"), [("http://127.0.0.1:9/", True), ("http://id.example", False)])
def test_an_identity_provider_is_asked_over_https_only(
    monkeypatch: pytest.MonkeyPatch, issuer: str, taken: bool
) -> None:
    set_all(monkeypatch, OIDC | {"OIDC_ISSUER": issuer})
    if taken:
        assert load_settings().oidc_issuer == issuer.rstrip("/")
    else:
        assert refusal().startswith("OIDC_ISSUER: not protected")
