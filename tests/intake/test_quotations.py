"""What is new in a mail and what it quotes, as programs of the languages write it."""

import pytest

from dunwell.intake.html_text import text_of
from dunwell.intake.quotations import cut

NEW = "Ya pagué ayer 1200.\n\nUna"
QUOTED = "> Dear Bob\n> you owe\n> money"


@pytest.mark.parametrize(
    "leads",
    [
        "On Mon, 1 Mar 2027 at 10:00, Ana Lopez <billing@example.com> wrote:",
        "On Mon, 1 Mar 2027 at 10:00, Ana Lopez\n<billing@example.com> wrote:",
        "Am Mo., 1. März 2027 um 10:00 Uhr schrieb Ana Lopez <billing@example.com>:",
        "El lun, 1 mar 2027 a las 10:00, Ana Lopez (<billing@example.com>) escribió:",
        "Le lun. 1 mars 2027 à 10:00, Ana Lopez <billing@example.com> a écrit :",
        "Il giorno lun 1 mar 2027 alle ore 10:00 Ana Lopez <billing@example.com> ha scritto:",
        "Em seg., 1 de mar. de 2027 às 10:00, Ana Lopez <billing@example.com> escreveu:",
        "пн, 1 мар. 2027 г. в 10:00, Ana Lopez <billing@example.com>:",
        "01.03.2027 10:00, Ana Lopez пишет:",
        "На пн, 1.03.2027 г. в 10:00 Ana Lopez <billing@example.com> написа:",
        "Pada tanggal Sen, 1 Mar 2027 pukul 10.00 Ana Lopez <billing@example.com> menulis:",
        "From: Ana Lopez <billing@example.com>\nSent: Monday, March 1, 2027 10:00\nTo: Bob\nSubject: Invoice",
        "Von: Ana Lopez\nGesendet: Montag, 1. März 2027\nAn: Bob\nBetreff: Rechnung",
        "De: Ana Lopez\nEnviado: lunes, 1 de marzo de 2027\nPara: Bob\nAsunto: Factura",
        "От: Ana Lopez\nОтправлено: 1 марта\nКому: Bob\nТема: Счёт",
        "От: Ana Lopez\nИзпратено: 1 март\nДо: Bob\nОтносно: Фактура",
        "Dari: Ana Lopez\nDikirim: Senin\nKepada: Bob\nSubjek: Faktur",
        "-----Ursprüngliche Nachricht-----",
        "________________________________",
        "Op ma 1 mrt 2027 om 10:00 schreef Ana Lopez <billing@example.com>:",  # one that only the library knows
    ],
)
def test_the_quotation_is_cut_off(leads: str) -> None:
    assert cut(f"{NEW}\n\n{leads}\n{QUOTED}\n") == NEW


@pytest.mark.parametrize(
    ("text", "new"),
    [
        ("We will pay on Friday.", "We will pay on Friday."),
        ("We pay:\n- 500 on Friday\n- the rest later", "We pay:\n- 500 on Friday\n- the rest later"),
        ("To: whom it concerns\nwe dispute this", "To: whom it concerns\nwe dispute this"),
        ("> Why?\nBecause it is broken\n> When?\nYesterday", "> Why?\nBecause it is broken\n> When?\nYesterday"),
        ("> You owe 1200\n\nPaid yesterday", "> You owe 1200\n\nPaid yesterday"),
        ("> only a quotation", "> only a quotation"),
        (
            "On Mon, 1 Mar 2027, Ana wrote:\n> You owe 1200\n\nPaid yesterday",
            "On Mon, 1 Mar 2027, Ana wrote:\n\nPaid yesterday",
        ),
        ("Paid\n\nSent from my iPhone", "Paid"),
        ("Pagado\n\nEnviado desde mi iPhone", "Pagado"),
        ("", ""),
    ],
)
def test_what_a_person_wrote_is_never_cut_off(text: str, new: str) -> None:
    assert cut(text) == new


@pytest.mark.parametrize("line", ["On ", "From: a\n", "> ", "_", "-", "CAUTION: ", "a:", "On x wrote:\n", "\n"])
def test_a_mail_made_to_take_long_is_cut_at_once(line: str) -> None:
    cut(line * (30_000 // len(line)))


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("<p>We <b>pay</b>&nbsp;on <i>Friday</i></p><p>Ana</p>", "We pay on Friday\nAna"),
        ("a<br>b<br/>c", "a\nb\nc"),
        ("<html><head><title>x</title><body>Bonjour", "Bonjour"),  # the end of a head may be left out
        ("<style>p{}</style><script>alert(1)</script><p>Hi</p>", "Hi"),
        ("<p>Hi</p><blockquote>You owe<br>money</blockquote>", "Hi\n> You owe\n> money"),
        (
            '<div>Paid</div><div class="gmail_quote">On Mon wrote: <p>You owe</p></div>',
            "Paid\n> On Mon wrote:\n> You owe",
        ),
        ('<p>Paid</p><div id="divRplyFwdMsg">From: Ana</div><p>You owe</p>', "Paid\n> From: Ana\n> You owe"),
        ("<a href='https://evil.example'>click</a><img src=x alt=y>", "click"),
        ("<p>&lt;script&gt;", "<script>"),
        ("<<<>>><b", "<<<>>><b"),
        ("<div>" * 2_000 + "deep", "deep"),
    ],
)
def test_the_text_of_html(html: str, text: str) -> None:
    assert [line for line in text_of(html).split("\n") if line] == text.split("\n")
