"""Small bank statements of every format, written for the tests."""

from collections.abc import Sequence

ACCOUNT = "DE02120300000000202051"
PAYER = "DE75512108001245126199"

_CAMT = {
    "052": ("BkToCstmrAcctRpt", "Rpt"),
    "053": ("BkToCstmrStmt", "Stmt"),
    "054": ("BkToCstmrDbtCdtNtfctn", "Ntfctn"),
}


def camt_entry(
    amount: str = "1200.00",
    text: str = "INV-1",
    *,
    sign: str = "CRDT",
    status: str = "BOOK",
    reference: str = "",
    day: str = "2027-03-01",
    more: str = "",
    details: str | None = None,
    currency: str = "EUR",
    end_to_end: str = "NOTPROVIDED",
) -> str:
    """An entry of a camt message. `details` stands in place of its one transaction."""
    one = details if details is not None else transaction(text, end_to_end=end_to_end)
    bank = f"<AcctSvcrRef>{reference}</AcctSvcrRef>" if reference else ""
    return (
        f'<Ntry><Amt Ccy="{currency}">{amount}</Amt><CdtDbtInd>{sign}</CdtDbtInd>{more}<Sts>{status}</Sts>'
        f"<BookgDt><Dt>{day}</Dt></BookgDt><ValDt><Dt>{day}</Dt></ValDt>{bank}<NtryDtls>{one}</NtryDtls></Ntry>"
    )


def transaction(
    text: str = "", *, amount: str = "", name: str = "Debtor GmbH", more: str = "", remittance: str = "",
    end_to_end: str = "NOTPROVIDED",
) -> str:  # fmt: skip
    """The details of one transaction of a booking."""
    own = f'<AmtDtls><TxAmt><Amt Ccy="EUR">{amount}</Amt></TxAmt></AmtDtls>' if amount else ""
    return (
        f"<TxDtls><Refs><EndToEndId>{end_to_end}</EndToEndId></Refs>{own}{more}<RltdPties><Dbtr><Nm>{name}</Nm></Dbtr>"
        f"<DbtrAcct><Id><IBAN>{PAYER}</IBAN></Id></DbtrAcct></RltdPties>"
        f"<RmtInf>{remittance or f'<Ustrd>{text}</Ustrd>'}</RmtInf></TxDtls>"
    )


def camt(
    *entries: str, kind: str = "053", balances: tuple[str, str] | None = None, version: str = "08", more: str = ""
) -> bytes:
    """A camt message with one statement."""
    root, statement = _CAMT[kind]
    told = ""
    for code, amount in zip(("OPBD", "CLBD"), balances or (), strict=False):
        sign = "DBIT" if amount.startswith("-") else "CRDT"
        told += (
            f"<Bal><Tp><CdOrPrtry><Cd>{code}</Cd></CdOrPrtry></Tp>"
            f'<Amt Ccy="EUR">{amount.lstrip("-")}</Amt><CdtDbtInd>{sign}</CdtDbtInd></Bal>'
        )
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f'<Document xmlns="urn:iso:std:iso:20022:tech:xsd:camt.{kind}.001.{version}"><{root}>'
        f"<GrpHdr><MsgId>M1</MsgId></GrpHdr><{statement}><Id>S1</Id><Acct><Id><IBAN>{ACCOUNT}</IBAN></Id>"
        f"<Ccy>EUR</Ccy></Acct>{told}{more}{''.join(entries)}</{statement}></{root}></Document>\n"
    ).encode()


def mt940(
    lines: Sequence[str], opening: str = "C270228EUR0,00", closing: str | None = None, account: str = ""
) -> str:
    """An MT940 statement of movement lines, such as ":61:2703010301C1200,00NTRFNONREF//A1"."""
    end = [f":62F:{closing}"] if closing else []
    return "\r\n".join(
        (":20:STARTUMS", f":25:{account or ACCOUNT}", ":28C:1/1", f":60F:{opening}", *lines, *end, "-", "")
    )


def ofx(*movements: str, currency: str = "EUR", account: str = ACCOUNT) -> str:
    """An OFX file in the SGML manner."""
    return (
        "OFXHEADER:100\r\nDATA:OFXSGML\r\nVERSION:102\r\nENCODING:USASCII\r\nCHARSET:1252\r\n\r\n"
        f"<OFX><BANKMSGSRSV1><STMTTRNRS><STMTRS><CURDEF>{currency}\r\n<BANKACCTFROM><ACCTID>{account}\r\n"
        f"</BANKACCTFROM><BANKTRANLIST>{''.join(movements)}</BANKTRANLIST></STMTRS></STMTTRNRS></BANKMSGSRSV1></OFX>"
    )


def ofx_movement(amount: str = "1200.00", text: str = "INV-1", fitid: str = "F1", day: str = "20270301") -> str:
    """A movement of an OFX file."""
    return (
        f"<STMTTRN><TRNTYPE>CREDIT\r\n<DTPOSTED>{day}120000[-5:EST]\r\n<TRNAMT>{amount}\r\n<FITID>{fitid}\r\n"
        f"<NAME>Debtor &amp; Sons\r\n<MEMO>{text}\r\n</STMTTRN>\r\n"
    )
