"""Rates from the files of their publishers: each format, and what is refused."""

import re
from datetime import date
from decimal import Decimal

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dunwell.intake.rate_files import RateFile, RateFileError, read_rates

ECB_PORTAL = (
    'DATE,TIME PERIOD,"ECB rate - Main refinancing operations - Level (FM.B.U2.EUR.4F.KR.MRR_FR.LEV)"\n'
    "2025-06-11,11 Jun 2025,2.15\n2026-06-17,17 Jun 2026,2.4\n2026-09-16,16 Sep 2026,2.65\n"
)
ECB_INTERFACE = (
    "KEY,FREQ,REF_AREA,CURRENCY,PROVIDER_FM,INSTRUMENT_FM,PROVIDER_FM_ID,DATA_TYPE_FM,TIME_PERIOD,OBS_VALUE,OBS_STATUS\n"
    "FM.D.U2.EUR.4F.KR.MRR_FR.LEV,D,U2,EUR,4F,KR,MRR_FR,LEV,2026-09-15,2.4,A\n"
    "FM.D.U2.EUR.4F.KR.MRR_FR.LEV,D,U2,EUR,4F,KR,MRR_FR,LEV,2026-09-16,2.65,A\n"
    "FM.D.U2.EUR.4F.KR.MRR_FR.LEV,D,U2,EUR,4F,KR,MRR_FR,LEV,2026-09-17,2.65,A\n"
)
BUNDESBANK = (
    '"";BBK01.SU0115;BBK01.SU0115_FLAGS\n"";"Basiszinssatz gemäß § 247 BGB / Stand am Monatsende";""\n'
    "Einheit;% p.a.;\nStand vom;01.07.2026 10:00:00 Uhr;\n2025-12;1,27;\n2026-01;1,27;\n"
    "2026-02;.;Kein Wert vorhanden\n2026-07;1,52;\n"
)
BUNDESBANK_ENGLISH = '"",BBK01.SU0115,BBK01.SU0115_FLAGS\nunit,% p.a.,\n2015-12,-0.83,\n2016-07,-0.88,\n'
BANK_OF_ENGLAND = "Date Changed,Rate\n18 Dec 25,3.75\n07 Aug 25,4.00\n08 May 25,4.25\n"
BANK_OF_ENGLAND_DAILY = "DATE,IUDBEDR\n17 Dec 2025,4\n18 Dec 2025,3.75\n19 Dec 2025,3.75\n"
POLAND = (
    '<?xml version="1.0" encoding="ISO-8859-2"?><stopy_procentowe_archiwum>'
    '<pozycje obowiazuje_od="2025-12-04"><pozycja id="ref" oprocentowanie="4,00"/>'
    '<pozycja id="lom" oprocentowanie="4,50"/></pozycje>'
    '<pozycje obowiazuje_od="2026-03-05"><pozycja id="ref" oprocentowanie="3,75"/></pozycje>'
    "</stopy_procentowe_archiwum>"
)


def rates(*pairs: str) -> tuple[tuple[date, Decimal], ...]:
    return tuple((date.fromisoformat(day), Decimal(rate)) for day, rate in (pair.split() for pair in pairs))


@pytest.mark.parametrize(
    ("text", "expected", "last"),
    [
        pytest.param(
            ECB_PORTAL, rates("2025-06-11 2.15", "2026-06-17 2.4", "2026-09-16 2.65"), "2026-09-16", id="ECB portal"
        ),
        # Daily values become changes, and the file says that nothing changed until its last day.
        pytest.param(ECB_INTERFACE, rates("2026-09-15 2.4", "2026-09-16 2.65"), "2026-09-17", id="ECB interface"),
        # Months: a value stands for its whole month; a month without a value is left out.
        pytest.param(BUNDESBANK, rates("2025-12-01 1.27", "2026-07-01 1.52"), "2026-07-31", id="Bundesbank"),
        pytest.param(
            BUNDESBANK_ENGLISH, rates("2015-12-01 -0.83", "2016-07-01 -0.88"), "2016-07-31", id="Bundesbank, English"
        ),
        # Newest first.
        pytest.param(
            BANK_OF_ENGLAND, rates("2025-05-08 4.25", "2025-08-07 4.00", "2025-12-18 3.75"), "2025-12-18", id="BoE"
        ),
        pytest.param(BANK_OF_ENGLAND_DAILY, rates("2025-12-17 4", "2025-12-18 3.75"), "2025-12-19", id="BoE daily"),
        pytest.param(POLAND, rates("2025-12-04 4.00", "2026-03-05 3.75"), "2026-03-05", id="NBP"),
        pytest.param("date,rate\n2026-01-01,9.5\n", rates("2026-01-01 9.5"), "2026-01-01", id="plain"),
        pytest.param("2026-01-01,9.5", rates("2026-01-01 9.5"), "2026-01-01", id="no head"),
        pytest.param("01.01.2026\t-0,5 %\n", rates("2026-01-01 -0.5"), "2026-01-01", id="tab, comma, per cent"),
        pytest.param("2026-01-01,2\n2026-01-01,2\n", rates("2026-01-01 2"), "2026-01-01", id="twice the same"),
    ],
)
def test_formats(text: str, expected: tuple[tuple[date, Decimal], ...], last: str) -> None:
    assert read_rates(text.encode()) == RateFile(expected, date.fromisoformat(last))


def test_encodings() -> None:
    assert read_rates(BUNDESBANK.encode("cp1252")) == read_rates(b"\xef\xbb\xbf" + BUNDESBANK.encode())
    assert read_rates(b"\xff\xfe" + BANK_OF_ENGLAND.encode("utf-16-le")).last == date(2025, 12, 18)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "holds no day with a rate"),
        (b"\x00\x01\x02", "holds no day with a rate"),
        (b"date,rate\n", "holds no day with a rate"),
        (b"2026-01-01,2.65\nsoon,2.80\n", "line 2: 'soon' is no day"),
        (b"2026-01-01,2.65\n2026-02-30,2.80\n", "line 2: '2026-02-30' is no day"),
        (b"2026-01-01,2.65\n2026-13,2.80\n", "line 2: '2026-13' is no day"),
        (b"2026-01-01,high\n", "line 1: 'high' is no rate in per cent"),
        (b"2026-01-01,1e9\n", "line 1: '1e9' is no rate in per cent"),
        (b"2026-01-01,2.65\n2026-01-01,2.80\n", "2026-01-01 has the rate 2.80, and 2.65 on line 1: keep one"),
        # It may be the first of February or the second of January.
        (b"01/02/2026,2.65\n", "holds no day with a rate"),
        (b"<stopy", "is XML that is broken off or damaged"),
        (b"<stopy><pozycje/></stopy>", "holds no day with a rate"),
        (b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>', "is XML with a document type"),
        (b"2026-01-01,2.65\n" * 400_000, "has more than 5 MB"),
        (b"2026-01-01,x\n" * 7, "and 2 more"),
        (b"2026-01-01," + b"9" * 200_000, "is no CSV file"),
    ],
)
def test_refusals(content: bytes, said: str) -> None:
    with pytest.raises(RateFileError) as caught:
        read_rates(content)
    assert said in str(caught.value)


_PIECES = st.sampled_from(
    [
        *(
            "2026-09-16",
            "2026-09",
            "0000-00",
            "9999-12",
            "16 Sep 26",
            "1 Jan 0",
            "31.12.2026",
            "99.99.9999",
            "TIME_PERIOD",
        ),
        *("OBS_VALUE", "2.65", "-0,88", "1e999", "..", "%", '"', ",", ";", "\t", "\n", "\r\n", "\ufeff", "\x00", " "),
        *("<", "<a>", "</a>", "<pozycje obowiazuje_od='2026-01-01'>", "<pozycja id='ref'/>", "&lol;"),
    ]
)


@given(st.one_of(st.binary(max_size=200), st.lists(_PIECES, max_size=12).map(lambda parts: "".join(parts).encode())))
@example(b"<?xml version='1.0' encoding='nonsense'?><a/>")
@example("<a>\ud800</a>".encode("utf-8", "surrogatepass"))
def test_whatever_a_file_holds_it_is_read_or_refused(content: bytes) -> None:
    try:
        found = read_rates(content)
    except RateFileError as error:
        assert str(error)
        return
    days = [day for day, _ in found.rates]
    assert days == sorted(set(days))
    assert days[-1] <= found.last
    assert all(rate.is_finite() for _, rate in found.rates)


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("2027-01-01,1,77", "line 1: 1,77 may be one rate or two columns: write 1.77"),
        ("2027-01-01,-0,88 %", "line 1: -0,88 % may be one rate or two columns: write -0.88 %"),
        ("2027-01-01,177", "line 1: '177' is more than 100 per cent a year"),
    ],
)
def test_a_rate_that_is_read_in_two_ways_or_is_none_is_refused(line: str, says: str) -> None:
    with pytest.raises(RateFileError, match=f"^{re.escape(says)}$"):
        read_rates(line.encode())


def test_a_decimal_comma_is_read_where_columns_are_separated_otherwise() -> None:
    assert read_rates(b"2027-01-01;1,77").rates == ((date(2027, 1, 1), Decimal("1.77")),)
