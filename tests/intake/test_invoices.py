"""What is refused, and with which field and reason; what is accepted, and as what."""

import json
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dunwell.domain.channels import Channel
from dunwell.domain.invoice import UNDETERMINED, Invoice
from dunwell.domain.terms import DebtorKind
from dunwell.intake.invoices import Refusal, parse_invoice, read_content
from tests.intake.builders import GONE, record, with_contact

CONTACT = "customer.contacts[0]"


def accepted(data: object) -> Invoice:
    found = parse_invoice(data, "line 1")
    assert isinstance(found, Invoice), [str(refusal) for refusal in found]
    return found


def refused(data: object) -> list[Refusal]:
    found = parse_invoice(data, "line 7")
    assert isinstance(found, list) and found
    return found


def test_a_good_record_becomes_an_invoice() -> None:
    invoice = accepted(record())

    assert (invoice.amount, invoice.currency, invoice.digits) == (Decimal("1200.00"), "EUR", 2)
    assert (invoice.issued_on, invoice.due_on) == (date(2026, 3, 2), date(2026, 4, 1))
    assert (invoice.payment_url, invoice.policy, invoice.jurisdiction) == (None, None, None)
    assert [contact.contact_id for contact in invoice.customer.contacts] == [
        "C-1.accounts_payable.1",
        "C-1.account_manager.1",
    ]


# (record, field, part of the reason)
REFUSALS: list[Any] = [
    # the record itself
    (None, "", "is missing: write an object"),
    ([], "", "is a list"),
    ("INV-1", "", "is text"),
    (Decimal(5), "", "is a number"),
    (True, "", "is true or false"),
    # ids and names
    (record(invoice_id=None), "invoice_id", "is missing"),
    (record(invoice_id="  "), "invoice_id", "is missing"),
    (record(invoice_id="INV 1"), "invoice_id", "no plain id"),
    (record(invoice_id="INV/1"), "invoice_id", "no plain id"),
    (record(invoice_id="é"), "invoice_id", "no plain id"),
    (record(invoice_id="x" * 121), "invoice_id", "no plain id"),
    (record(invoice_id=17), "invoice_id", "is a number, not text"),
    (record(number=2026001), "number", "write it in double quotes"),
    (record(number="A\nB"), "number", "U+000A"),
    (record(customer__id="info@example.com"), "customer.id", "no plain id"),
    (record(customer__name="N" * 201), "customer.name", "at most 200 fit"),
    (record(customer__name="Acme\r\nBcc: x"), "customer.name", "U+000D"),
    (record(customer__name="Acme\x00"), "customer.name", "U+0000"),
    (record(customer__name="\ud800"), "customer.name", "U+D800"),
    (record(customer__name="Acme\u202egpj"), "customer.name", "U+202E (right-to-left override), which reorders"),
    (record(number="INV\u2066-1"), "number", "U+2066"),
    (record(customer__name="\u200b\u200e"), "customer.name", "nobody can see"),
    (record(customer__name=["Acme"]), "customer.name", "is a list"),
    (record(customer="Acme"), "customer", "is text: write an object"),
    (record(customer=GONE), "customer", "is missing"),
    # unknown fields at each level
    (record(amout="1"), "amout", "did you mean 'amount'?"),
    (record(digits=2), "digits", "is no field here"),
    (record(customer__timezone="UTC"), "customer.timezone", "did you mean 'time_zone'?"),
    (with_contact(mobile="+34600123456"), f"{CONTACT}.mobile", "use one of email, name, phone"),
    # money
    (record(amount=GONE), "amount", "is missing"),
    (record(amount="0.00"), "amount", "not more than zero"),
    (record(amount="-5"), "amount", "not more than zero"),
    (record(amount=Decimal(-5)), "amount", "not more than zero"),
    (record(amount="NaN"), "amount", "is no amount"),
    (record(amount=Decimal("NaN")), "amount", "no finite number"),
    (record(amount=Decimal("Infinity")), "amount", "no finite number"),
    (record(amount=float("nan")), "amount", "no exact number"),
    (record(amount=12.5), "amount", "no exact number"),
    (record(amount="1e9"), "amount", "has an exponent"),
    (record(amount=Decimal("1e9")), "amount", "has an exponent"),
    (record(amount=Decimal("1e999999999")), "amount", "has an exponent"),
    (record(amount="1,200.00"), "amount", "has a comma or a separator"),
    (record(amount="1200,00"), "amount", "has a comma or a separator"),
    (record(amount="1 200.00"), "amount", "has a comma or a separator"),
    (record(amount="€1200"), "amount", "is no amount"),
    (record(amount="１２"), "amount", "is no amount"),
    (record(amount="1_000"), "amount", "is no amount"),
    (record(amount=".5"), "amount", "is no amount"),
    (record(amount="1200.001"), "amount", "EUR has at most 2 digits"),
    (record(amount="1.200"), "amount", "may be 1200.00 or 1.20"),
    (record(amount="1200.5", currency="JPY"), "amount", "JPY has no digits but zeros after the point"),
    (record(amount="1.2345", currency="KWD"), "amount", "KWD has at most 3 digits"),
    (record(amount=Decimal("1e-999999999")), "amount", "too fine"),
    (record(amount="1000000000000"), "amount", "at most 12 digits"),
    (record(amount=10**5000), "amount", "at most 12 digits"),
    (record(amount="9" * 41), "amount", "at most 40 fit"),
    (record(amount=True), "amount", "is true or false"),
    (record(amount=["12"]), "amount", "is a list"),
    (record(currency="EURO"), "currency", "ISO 4217"),
    (record(currency="eur"), "currency", "use 'EUR'"),
    (record(currency="DEM"), "currency", "no currency in use"),
    (record(currency="HRK"), "currency", "no longer in use: use 'EUR'"),
    (record(currency="XAU"), "currency", "no currency in use"),
    # dates
    (record(due_on="2026-02-30"), "due_on", "is no day of the calendar: use YYYY-MM-DD"),
    (record(due_on="01.04.2026"), "due_on", "is not a date"),
    (record(due_on="20260401"), "due_on", "is not a date"),
    (record(due_on="2026-W14-3"), "due_on", "is not a date"),
    (record(due_on="2026-04-01T00:00:00Z"), "due_on", "is not a date"),
    (record(due_on=20260401), "due_on", "is a number, not text"),
    (record(due_on="2026-03-01"), "due_on", "is before issued_on, 2026-03-02"),
    (record(due_on="2101-01-01"), "due_on", "between 2000 and 2100"),
    (record(issued_on="1999-12-31"), "issued_on", "between 2000 and 2100"),
    # place and language
    (record(customer__country="UK"), "customer.country", "use 'GB'"),
    (record(customer__country="de"), "customer.country", "use 'DE'"),
    (record(customer__country="DEU"), "customer.country", "use 'DE'"),
    (record(customer__country="Germany"), "customer.country", "use 'DE'"),
    (record(customer__country="ZZ"), "customer.country", "is no country"),
    (record(customer__time_zone="Europe/Berln"), "customer.time_zone", "did you mean 'Europe/Berlin'?"),
    (record(customer__time_zone="europe/berlin"), "customer.time_zone", "use 'Europe/Berlin'"),
    (record(customer__time_zone="GMT+1"), "customer.time_zone", "is no time zone: use an IANA name"),
    (record(customer__time_zone="Europe"), "customer.time_zone", "is no time zone"),
    (record(customer__time_zone="../../etc/passwd"), "customer.time_zone", "is no time zone"),
    (record(customer__time_zone="+02:00"), "customer.time_zone", "use an IANA name"),
    (record(customer__language="pt_BR"), "customer.language", "use a hyphen, 'pt-BR'"),
    (record(customer__language="German"), "customer.language", "no language tag"),
    (record(customer__language="xx"), "customer.language", "no language tag"),
    (record(customer__language="de-"), "customer.language", "no language tag"),
    (record(customer__language="de-XX"), "customer.language", "the region 'XX'"),
    (record(jurisdiction="Germany"), "jurisdiction", "is no jurisdiction"),
    (record(jurisdiction="Germany"), "jurisdiction", "is no jurisdiction: use 'DE'"),
    (record(jurisdiction="fr"), "jurisdiction", "is no jurisdiction: did you mean 'FR'?"),
    (record(jurisdiction="DEU"), "jurisdiction", "is no jurisdiction: did you mean 'DE'?"),
    (record(jurisdiction="US-ZZ"), "jurisdiction", "is no jurisdiction"),
    (record(jurisdiction="EU"), "jurisdiction", "is no law of its own: name the member state"),
    # A country without a file: what is known is listed.
    (record(jurisdiction="SG"), "jurisdiction", "known are AR, AT, AU, BE"),
    (record(jurisdiction="CN-BJ"), "jurisdiction", "is no law that is known here"),
    # contacts
    (record(customer__contacts={}), "customer.contacts", "is an object: write a list"),
    (record(customer__contacts=["Katrin"]), CONTACT, "is text: write an object"),
    (with_contact(role="account_manager"), "customer.contacts", "hold nobody to ask"),
    (with_contact(email=GONE, post="Werkstr. 12"), "customer.contacts", "hold nobody to ask"),
    (record(customer__contacts=record()["customer"]["contacts"] * 26), "customer.contacts", "at most 50 fit"),
    (with_contact(role="accounts payable"), f"{CONTACT}.role", "did you mean 'accounts_payable'?"),
    (with_contact(role="boss"), f"{CONTACT}.role", "use one of"),
    (with_contact(name=GONE), f"{CONTACT}.name", "is missing"),
    (with_contact(email="ap@lindenhof"), f"{CONTACT}.email", "is not an e-mail address"),
    (with_contact(email="Katrin <k@lindenhof.example>"), f"{CONTACT}.email", "is not an e-mail address"),
    (with_contact(email="kätrin@lindenhof.example"), f"{CONTACT}.email", "is not an e-mail address"),
    (with_contact(email="a@b.invalid@c.invalid"), f"{CONTACT}.email", "is not an e-mail address"),
    (
        with_contact(email="a@x.example; b@x.example"),
        f"{CONTACT}.email",
        "holds 2 addresses: write one address a contact",
    ),
    (with_contact(email="a@x.example,b@x.example c@x.example"), f"{CONTACT}.email", "holds 3 addresses"),
    (with_contact(email="x" * 400 + "@a.example"), f"{CONTACT}.email", "at most 320 fit"),
    (with_contact(phone="call me"), f"{CONTACT}.phone", "is not a phone number"),
    (with_contact(phone="+999 123456"), f"{CONTACT}.phone", "is not a phone number"),
    (with_contact(phone="12"), f"{CONTACT}.phone", "too few or too many digits"),
    (with_contact(phone="+1 555 0100"), f"{CONTACT}.phone", "too few or too many digits"),
    (with_contact(phone="+1 212 555 0123 ext 5"), f"{CONTACT}.phone", "has an extension"),
    (with_contact(phone=493023125418), f"{CONTACT}.phone", "is a number, not text"),
    (with_contact(post="A\x07"), f"{CONTACT}.post", "U+0007"),
    (with_contact(post="x\n" * 251), f"{CONTACT}.post", "at most 500 fit"),
    (with_contact(post=5), f"{CONTACT}.post", "is a number"),
    # names as bait
    (record(customer__name="Pay at https://evil.example"), "customer.name", "'https://evil.example', of which mail"),
    (record(customer__name="www.evil.example"), "customer.name", "leave the address out"),
    (record(customer__name="Acme evil.com/pay"), "customer.name", "'evil.com/pay'"),
    (record(number="see evil.com"), "number", "'evil.com', of which mail programs make a link"),
    (with_contact(name="Katrin evil.com"), f"{CONTACT}.name", "write a space after the full stop"),
    (with_contact(name="k.vogel@lindenhof.example"), f"{CONTACT}.name", "leave the address out"),
    # ids that other programs read otherwise
    (record(invoice_id="."), "invoice_id", "is no plain id"),
    (record(invoice_id=".."), "invoice_id", "is no plain id"),
    (record(invoice_id="-rf"), "invoice_id", "the first a letter or a digit"),
    (record(customer__id=".."), "customer.id", "is no plain id"),
    # links and ladders
    (record(payment_url="http://pay.example.com/1"), "payment_url", "must begin with https://"),
    (record(payment_url="javascript:alert(1)"), "payment_url", "is not a web address"),
    (record(payment_url="ftp://pay.example.com/1"), "payment_url", "must begin with https://"),
    (record(payment_url="pay.example.com/1"), "payment_url", "is not a web address"),
    (record(payment_url="https://"), "payment_url", "is not a web address"),
    (record(payment_url="https://pay.example.com:port/"), "payment_url", "is not a web address"),
    (record(payment_url="https://pay.example.com/<b>"), "payment_url", "is not a web address"),
    (record(payment_url="https://me:pw@pay.example.com/"), "payment_url", "user name or password"),
    (record(payment_url="https://localhost@evil.example/"), "payment_url", "user name or password"),
    (record(policy="Gentle SaaS"), "policy", "no ladder's name"),
    (record(policy="../secrets"), "policy", "no ladder's name"),
    (record(policy="p" * 61), "policy", "no ladder's name"),
]


@pytest.mark.parametrize("role", ["manager", "executive"])
def test_a_private_persons_debt_is_told_to_nobody_else(role: str) -> None:
    made = record()
    made["customer"]["contacts"] += [
        {"role": role, "name": "Otto Kern", "email": f"otto{n}@kern.example"} for n in "ab"
    ]
    assert len(accepted(made).customer.contacts) == 4
    made["customer"]["kind"] = "consumer"
    (refusal,) = refused(made)
    assert refusal.field == "customer.contacts"
    assert f"of the role {role}: a private person's debt is told to nobody else" in refusal.reason


@pytest.mark.parametrize("name", ["Booking.com B.V.", "Meyer GmbH & Co.KG"])
def test_f8_a_company_may_be_called_like_a_domain(name: str) -> None:
    assert accepted(record(customer__name=name)).customer.name == name


@pytest.mark.parametrize("invoice_id", [".", "..", "...", "-x", "_", ".hidden"])
def test_f9_an_id_is_no_folder_and_no_option(invoice_id: str) -> None:
    for made in (record(invoice_id=invoice_id), record(customer__id=invoice_id)):
        (refusal,) = refused(made)
        assert "is no plain id" in refusal.reason


def test_e2_kosovo_is_a_country() -> None:
    made = record(customer__country="XK")
    made["customer"]["contacts"][0]["phone"] = "+383 44 123 456"
    found = accepted(made)
    assert found.customer.contacts[0].phone == "+38344123456"


@pytest.mark.parametrize(("data", "field", "reason"), REFUSALS, ids=range(len(REFUSALS)))
def test_refuses(data: object, field: str, reason: str) -> None:
    (refusal,) = refused(data)

    assert (refusal.where, refusal.field) == ("line 7", field)
    assert reason in refusal.reason


def test_all_problems_of_a_record_come_at_once() -> None:
    broken = record(amount="-5", due_on="soon", customer__country="XX", customer__contacts={}, colour="red")

    fields = {refusal.field for refusal in refused(broken)}

    assert fields == {"amount", "due_on", "customer.country", "customer.contacts", "colour"}


def test_a_record_of_nothing_but_problems_gives_a_short_list() -> None:
    assert len(refused({f"field {n}": n for n in range(1000)})) == 25


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        # the value comes first, the advice last
        (record(due_on="2026-02-30"), "line 7: due_on: '2026-02-30' is no day of the calendar: use YYYY-MM-DD"),
        # no value where there is none
        (record(number=GONE), "line 7: number: is missing: it is needed"),
        # a long value is cut
        (
            record(policy="Ö" * 99),
            f"line 7: policy: '{'Ö' * 60}…' is no ladder's name: use 1 to 60 of a-z, 0-9 and '-'",
        ),
    ],
)
def test_a_refusal_reads_as_a_sentence(data: object, sentence: str) -> None:
    (refusal,) = refused(data)
    assert str(refusal) == sentence


def test_a_payment_link_is_never_shown() -> None:
    (refusal,) = refused(record(payment_url="http://pay.example.com/?token=s3cret"))
    assert "s3cret" not in str(refusal) and refusal.value is None


def test_a_refusal_can_be_printed_whatever_the_value() -> None:
    for refusal in refused(record(**{"customer__name": "\x1b[2J\ud800", "\x1b[2J\udc80": 1})):
        assert str(refusal).isprintable() and str(refusal).encode()


@pytest.mark.parametrize(
    ("currency", "written", "kept", "digits"),
    [
        ("EUR", "1200.00", "1200.00", 2),
        ("EUR", "1200.5", "1200.50", 2),
        ("EUR", Decimal("1200.10"), "1200.10", 2),
        ("EUR", 1200, "1200.00", 2),
        ("EUR", "0.01", "0.01", 2),
        ("EUR", "999999999999.99", "999999999999.99", 2),
        ("JPY", "264000", "264000", 0),
        ("JPY", "1000.00", "1000", 0),
        ("EUR", "1200.0000", "1200.00", 2),
        ("KWD", "1.200", "1.200", 3),
        ("CLP", Decimal(1485000), "1485000", 0),
        ("KWD", "845.25", "845.250", 3),
        # CLDR says none, ISO 4217 says two or three
        ("RSD", "10.50", "10.50", 2),
        ("IQD", "10.505", "10.505", 3),
    ],
)
def test_amounts_keep_the_digits_of_their_currency(currency: str, written: object, kept: str, digits: int) -> None:
    invoice = accepted(record(currency=currency, amount=written))
    assert (str(invoice.amount), invoice.digits) == (kept, digits)


@pytest.mark.parametrize(
    ("country", "written", "kept"),
    [
        ("DE", "030 23125 418", "+493023125418"),  # national form
        ("US", "(212) 555-0123", "+12125550123"),
        ("DE", "030/23125418", "+493023125418"),
        ("DE", "0049 151 12345678", "+4915112345678"),
        ("GB", "07700 900417", "+447700900417"),  # kept for examples by Ofcom
        ("ES", "34600123456", "+34600123456"),  # no Spanish number is so long
        ("DE", "+44 20 7946 0155", "+442079460155"),  # a number abroad
        ("ES", "+15005550006", "+15005550006"),  # magic test number: works
        ("ES", "+15005550001", "+15005550001"),  # magic test number: invalid
        ("ES", "+15005550009", "+15005550009"),  # magic test number: cannot take an SMS
    ],
)
def test_phones_are_kept_as_e164(country: str, written: str, kept: str) -> None:
    made = with_contact(phone=written)
    made["customer"]["country"] = country
    assert accepted(made).customer.contacts[0].phone == kept


def test_b10_a_record_may_say_what_kind_of_debtor_it_is_about_and_of_which_group() -> None:
    made = record()
    made["customer"] |= {"kind": "business", "group": "vogel-holding"}
    customer = accepted(made).customer
    assert (customer.kind, customer.group) == (DebtorKind.BUSINESS, "vogel-holding")
    assert (accepted(record()).customer.kind, accepted(record()).customer.group) == (None, None)
    made["customer"]["kind"] = "privat"
    (refusal,) = refused(made)
    assert refusal.field == "customer.kind"


@pytest.mark.parametrize(
    ("country", "written", "says"),
    [
        ("DE", "4915112345678", "write '+4915112345678' or with a leading 0"),
        ("DE", "030 12345 / 030 12346", "holds 2 numbers: give one, for example '+493012345'"),
        ("DE", "+49 30 12345 oder 0151 12345678", "holds 2 numbers"),
        ("DE", "030 1234503012346", "is no number that exists in DE"),  # 16 digits with the code
        ("US", "+1 555 123 4567", "is no number that exists in US: use the form"),
        ("DE", "0900 1234567", "is a premium-rate number"),
        ("FR", "+33 899 12 34 56", "is a premium-rate number"),
        ("DE", "+881 6 1234 5678", "is a satellite number"),
        ("DE", "+882 16 123456", "is a satellite number"),
    ],
)
def test_b4_a_number_that_nobody_should_write_to_is_refused(country: str, written: str, says: str) -> None:
    made = with_contact(phone=written)
    made["customer"]["country"] = country
    (refusal,) = refused(made)
    assert says in refusal.reason


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("bounce@example.com", "bounce@example.com"),
        ("bounce+late@acme.test", "bounce+late@acme.test"),
        ("Ap@Lindenhof.EXAMPLE", "Ap@lindenhof.example"),
        ("ap@acme.invalid", "ap@acme.invalid"),
        ("ap@ACME.example.Invalid", "ap@acme.example.invalid"),
        ("post@münchen.example", "post@xn--mnchen-3ya.example"),
    ],
)
def test_emails_are_kept_in_normal_form(written: str, kept: str) -> None:
    assert accepted(with_contact(email=written)).customer.contacts[0].email == kept


@pytest.mark.parametrize(
    ("written", "kept"),
    [("en", "en"), ("EN-gb", "en-GB"), ("zh-hant-tw", "zh-Hant-TW"), ("es-419", "es-419"), ("fr-DE", "fr-DE")],
)
def test_languages_are_kept_in_their_usual_capitals(written: str, kept: str) -> None:
    assert accepted(record(customer__language=written)).customer.language == kept


@pytest.mark.parametrize("blank", [GONE, None, "", " "])
def test_a_language_that_nobody_named_is_found_later(blank: object) -> None:
    assert accepted(record(customer__language=blank)).customer.language == UNDETERMINED


@pytest.mark.parametrize(
    "url",
    [
        "https://pay.example.com/INV-1?lang=de&x=%20#now",
        "http://localhost:8080/pay",
        "http://127.0.0.1/pay",
        "http://[::1]:8080/",
    ],
)
def test_payment_links_that_are_safe_or_stay_on_this_machine(url: str) -> None:
    assert accepted(record(payment_url=url)).payment_url == url


@pytest.mark.parametrize("jurisdiction", ["DE", "UK", "GB", "US", "US-NY", "AR"])
def test_jurisdictions(jurisdiction: str) -> None:
    assert accepted(record(jurisdiction=jurisdiction)).jurisdiction == jurisdiction


def test_blank_and_null_are_the_same_as_left_out() -> None:
    assert accepted(record(policy="", payment_url=None, jurisdiction=" ")) == accepted(record())


def test_contacts_of_one_role_are_counted() -> None:
    contacts = record()["customer"]["contacts"]
    found = accepted(record(customer__contacts=[*contacts, *contacts])).customer.contacts
    assert [contact.contact_id for contact in found] == [
        "C-1.accounts_payable.1",
        "C-1.account_manager.1",
        "C-1.accounts_payable.2",
        "C-1.account_manager.2",
    ]


def test_a_postal_address_alone_is_enough_to_be_asked() -> None:
    found = accepted(with_contact(email=GONE, post="Werkstr. 12\n10115 Berlin"))
    contact = found.customer.contacts[0]
    assert (contact.email, contact.address(Channel.LETTER)) == (None, "Werkstr. 12\n10115 Berlin")


def test_a_postal_address_keeps_its_lines() -> None:
    found = accepted(with_contact(post=" Lindenhof GmbH\r\n\r\nWerkstr. 12 \n10115 Berlin"))
    assert found.customer.contacts[0].post == "Lindenhof GmbH\nWerkstr. 12\n10115 Berlin"


DAYS = st.dates(date(2000, 1, 1), date(2099, 1, 1))
CENTS = st.integers(1, 10**14 - 1)


@given(cents=CENTS, issued=DAYS, term=st.integers(0, 365), as_text=st.booleans())
def test_what_json_says_is_what_the_invoice_holds(cents: int, issued: date, term: int, as_text: bool) -> None:
    amount, due = Decimal(cents).scaleb(-2), issued + timedelta(term)
    made = record(amount=f"{amount:f}", issued_on=str(issued), due_on=str(due))
    written = json.dumps(made) if as_text else json.dumps(made).replace(f'"{amount:f}"', f"{amount:f}")

    invoice = accepted(json.loads(written, parse_float=Decimal))

    assert (invoice.amount, invoice.issued_on, invoice.due_on) == (amount, issued, due)
    assert invoice == Invoice.model_validate_json(invoice.model_dump_json())


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.decimals() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


@given(JSON)
def test_no_json_value_makes_it_raise(data: object) -> None:
    assert isinstance(parse_invoice(data, "line 1"), list)


@given(path=st.sampled_from([*record(), *(f"customer__{name}" for name in record()["customer"])]), value=JSON)
def test_no_field_value_makes_it_raise(path: str, value: object) -> None:
    assert parse_invoice(record(**{path: value}), "line 1")


@given(name=st.sampled_from(["role", "name", "email", "phone", "post"]), value=JSON)
def test_no_contact_value_makes_it_raise(name: str, value: object) -> None:
    assert parse_invoice(with_contact(**{name: value}), "line 1")


@pytest.mark.parametrize(
    ("written", "sums"),
    [
        ("200.00", ["200.00"]),
        (Decimal("200"), ["200.00"]),
        ("0.00", []),
        (
            [{"payment_id": "p1", "amount": "150.00", "received_at": "2026-12-20"}, {"amount": "50.00"}],
            ["150.00", "50.00"],
        ),
    ],
)
def test_a14_what_was_paid_before_is_one_amount_or_a_list(written: object, sums: list[str]) -> None:
    invoice = parse_invoice(record(paid=written), "line 1")
    assert isinstance(invoice, Invoice)
    assert [str(one.amount) for one in invoice.history.paid] == sums


@pytest.mark.parametrize("written", ["first-reminder=2026-12-20", [{"step": "first-reminder", "on": "2026-12-20"}]])
def test_a14_reminders_from_elsewhere_are_text_or_a_list(written: object) -> None:
    invoice = parse_invoice(record(reminded=written, issued_on="2026-12-01", due_on="2026-12-15"), "line 1")
    assert isinstance(invoice, Invoice)
    assert [(one.step, str(one.on)) for one in invoice.history.reminded] == [("first-reminder", "2026-12-20")]


@pytest.mark.parametrize(
    ("facts", "says"),
    [
        ({"paid": "-5"}, "paid"),
        ({"paid": [{"payment_id": "p1"}]}, "a payment without an amount"),
        ({"paid": [{"amount": "1", "payment_id": "p"}, {"amount": "1", "payment_id": "p"}]}, "payment_id twice"),
        ({"paid": [{"amount": "1.00", "received_at": "2026-12-20T10:00"}]}, "no time with an offset"),
        ({"reminded": "yesterday"}, "is not a date"),
        ({"reminded": [{"step": "a", "on": "2026-12-20"}, {"step": "a", "on": "2026-12-21"}]}, "a step twice"),
        ({"reminded": "first-reminder=2020-01-01"}, "before issued_on"),
    ],
)
def test_a14_a_history_that_cannot_be_is_refused(facts: dict[str, object], says: str) -> None:
    refused = parse_invoice(record(**facts), "line 1")
    assert isinstance(refused, list)
    assert says in f"{refused[0].field} {refused[0].reason}"


@pytest.mark.parametrize("country", ["Deutschland", "D", "Germany", "Allemagne"])
def test_e1_a_country_in_words_is_one_mistake_and_one_message(country: str) -> None:
    """The telephone number in national form is not read in no country, and is no mistake of its own."""
    person = {"role": "accounts_payable", "name": "Ada", "phone": "030 1234567"}
    customer = {"id": "acme", "name": "Acme", "country": country, "contacts": [person]}
    record = {
        "invoice_id": "a",
        "number": "1",
        "customer": customer,
        "amount": "10.00",
        "currency": "EUR",
        "issued_on": "2027-01-01",
        "due_on": "2027-01-31",
    }
    (refused,) = read_content(json.dumps([record]).encode(), "a.json").refusals
    assert (refused.field, refused.reason) == (
        "customer.country",
        "is not the ISO 3166 code of two letters: use 'DE'",
    )
