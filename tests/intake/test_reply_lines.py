"""What customers write, in their languages, and what is proposed because of it. Today is Tuesday, 2 March 2027."""

from datetime import date
from decimal import Decimal

import pytest

from dunwell.domain.reply_terms import ReplyLine
from dunwell.intake.reply_lines import Reader, proposals_in
from dunwell.intake.reply_words import FOLDER, languages, words_of

TODAY = date(2027, 3, 2)
COUNTRIES = {
    "en": "GB",
    "de": "DE",
    "es": "ES",
    "fr": "FR",
    "it": "IT",
    "pt-BR": "BR",
    "ru": "RU",
    "bg": "BG",
    "id": "ID",
}


def read(language: str, text: str, country: str | None = None) -> list[str]:
    """The proposals, each as "line day amount currency" without what is not known."""
    reader = Reader(language, country or COUNTRIES[language], TODAY, "EUR", {Decimal(1200)})
    return [
        " ".join(str(part) for part in (one.line.value, one.day, one.amount, one.currency) if part is not None)
        for one in proposals_in(text, reader)
    ]


@pytest.mark.parametrize(
    ("language", "text", "expected"),
    [
        # English
        ("en", "We will pay next Friday.", ["promise 2027-03-05"]),
        (
            "en",
            "Hi Ana, we'll transfer EUR 500 on 12 March and the rest in two weeks.",
            ["promise 2027-03-12 500 EUR"],
        ),
        ("en", "This was already paid on 1 March.", ["paid 2027-03-01"]),
        ("en", "I paid 1200 yesterday, please check", ["paid 2027-03-01 1200 EUR"]),
        ("en", "We have paid €400.50 and will pay the rest tomorrow.", ["promise 2027-03-03", "paid 400.50 EUR"]),
        ("en", "Payment will go out on 01/04.", ["promise 2027-04-01"]),
        ("en", "We never received the invoice. Could you send a copy?", ["no-invoice"]),
        ("en", "The goods arrived damaged, we dispute this invoice.", ["dispute"]),
        ("en", "You overcharged us 300 euros", ["dispute 300 EUR"]),
        ("en", "You have the wrong person, I left the company last year.", ["wrong-person"]),
        ("en", "I am out of the office until 15 March", ["out-of-office 2027-03-15"]),
        ("en", "We are waiting for payment from our customers", ["customers-owe-us"]),
        ("en", "Our accountant has left", ["accountant-left"]),
        ("en", "Please call me tomorrow", ["call"]),
        ("en", "Can we pay in three instalments?", ["instalments"]),
        ("en", "The director has to sign first", ["approval-missing"]),
        ("en", "Can we pay on Friday?", ["promise 2027-03-05"]),
        ("en", "Stop harassing us", ["pestered"]),
        ("en", "As soon as you fix the printer we are fine", ["one-more-thing"]),
        # German
        ("de", "Wir überweisen am 12. März 500 €.", ["promise 2027-03-12 500 EUR"]),
        ("de", "Die Rechnung wurde gestern bezahlt.", ["paid 2027-03-01"]),
        ("de", "Habe ich schon am 26.2. überwiesen", ["paid 2027-02-26"]),
        ("de", "Wir werden bis Ende des Monats zahlen", ["promise 2027-03-31"]),
        ("de", "Die Ware ist beschädigt angekommen", ["dispute"]),
        ("de", "Unser Buchhalter hat gekündigt", ["accountant-left"]),
        ("de", "Ich bin bis 15.03.2027 im Urlaub, ab 16.03. wieder da", ["out-of-office 2027-03-15"]),
        ("de", "Bitte rufen Sie mich morgen an", ["call"]),
        ("de", "Wir haben keine Rechnung erhalten", ["no-invoice"]),
        ("de", "Können wir in Raten zahlen?", ["instalments"]),
        # Spanish
        ("es", "Ya pagué ayer, adjunto comprobante", ["paid 2027-03-01"]),
        ("es", "Pagaremos el viernes", ["promise 2027-03-05"]),
        ("es", "mañana por la mañana le pago 1.200,00 €", ["promise 2027-03-03 1200.00 EUR"]),
        ("es", "Vamos a pagar el 15 de marzo", ["promise 2027-03-15"]),
        ("es", "La factura está equivocada, nos cobraron de más", ["dispute"]),
        ("es", "Todavía esperamos que nuestros clientes nos paguen", ["customers-owe-us"]),
        ("es", "Nunca me llegó la factura", ["no-invoice"]),
        ("es", "Nuestra contadora se fue", ["accountant-left"]),
        ("es", "No puedo pagar, estoy sin trabajo", ["hardship"]),
        ("es", "Estaré de vacaciones hasta el 20 de marzo", ["out-of-office 2027-03-20"]),
        # French
        ("fr", "Nous avons réglé la facture le 1er mars", ["paid 2027-03-01"]),
        ("fr", "Nous paierons vendredi prochain", ["promise 2027-03-05"]),
        ("fr", "Le virement partira demain", ["promise 2027-03-03"]),
        ("fr", "Le colis est arrivé endommagé", ["dispute"]),
        ("fr", "Je n'ai jamais reçu la facture", ["no-invoice"]),
        ("fr", "Notre comptable est partie", ["accountant-left"]),
        ("fr", "Merci de me rappeler", ["call"]),
        # Italian
        ("it", "Abbiamo già pagato ieri", ["paid 2027-03-01"]),
        ("it", "Pagheremo entro fine mese", ["promise 2027-03-31"]),
        ("it", "Faremo il bonifico tra tre giorni", ["promise 2027-03-05"]),
        ("it", "La merce è arrivata danneggiata", ["dispute"]),
        ("it", "Aspettiamo i pagamenti dei nostri clienti", ["customers-owe-us"]),
        # Portuguese
        ("pt-BR", "Já paguei ontem, segue o comprovante", ["paid 2027-03-01"]),
        ("pt-BR", "Vamos pagar R$ 1.500,00 na sexta-feira", ["promise 2027-03-05"]),
        ("pt-BR", "O valor está errado", ["dispute"]),
        ("pt-BR", "Podemos pagar em 3 parcelas?", ["instalments"]),
        ("pt-BR", "Não recebi o boleto", ["no-invoice"]),
        # Russian
        ("ru", "Оплатим до 15 марта", ["promise 2027-03-15"]),
        ("ru", "Мы уже оплатили вчера", ["paid 2027-03-01"]),
        ("ru", "Переведем 500 евро в пятницу", ["promise 2027-03-05 500 EUR"]),
        ("ru", "Товар пришёл повреждённый, не согласны со счётом", ["dispute"]),
        ("ru", "Ждём оплату от наших клиентов", ["customers-owe-us"]),
        ("ru", "Я больше не работаю в этой компании", ["wrong-person"]),
        # Bulgarian
        ("bg", "Ще платим до петък", ["promise 2027-03-05"]),
        ("bg", "Платих вчера 1200 лв.", ["paid 2027-03-01"]),
        ("bg", "Вече е платено на 26 февруари", ["paid 2027-02-26"]),
        ("bg", "Стоката е повредена", ["dispute"]),
        ("bg", "Счетоводителката ни напусна", ["accountant-left"]),
        ("bg", "Чакаме клиентите ни да платят", ["customers-owe-us"]),
        ("bg", "В отпуск съм до 10 март", ["out-of-office 2027-03-10"]),
        # Indonesian
        ("id", "Saya akan bayar hari Jumat", ["promise 2027-03-05"]),
        ("id", "Sudah dibayar kemarin Rp 1.000.000", ["paid 2027-03-01"]),
        ("id", "Barang yang kami terima rusak", ["dispute"]),
        ("id", "Kami belum menerima faktur", ["no-invoice"]),
        ("id", "Menunggu pembayaran dari pelanggan kami", ["customers-owe-us"]),
        # The day after an adjective with an ending, an amount between verb and day, passive
        ("de", "Wir zahlen nächsten Freitag.", ["promise 2027-03-05"]),
        ("de", "wir zahlen die 900,00 EUR am Freitag.", ["promise 2027-03-05 900.00 EUR"]),
        ("de", "Wir überweisen Ihnen den Betrag kommenden Montag.", ["promise 2027-03-08"]),
        ("de", "Der Betrag wird am 4. Dezember überwiesen.", ["promise 2027-12-04"]),
        ("de", "Am Freitag überweisen wir den Betrag.", ["promise 2027-03-05"]),
        ("de", "Wir zahlen in der nächsten Woche", ["promise 2027-03-12"]),
        ("de", "Wir zahlen innerhalb der nächsten 10 Tage", ["promise 2027-03-12"]),
        (
            "de",
            "Wir zahlen 900,50 EUR am Freitag, bitte rufen Sie mich an",
            ["promise 2027-03-05 900.50 EUR", "call"],
        ),
        ("es", "Pagamos el viernes que viene.", ["promise 2027-03-05"]),
        ("es", "Haremos la transferencia el viernes.", ["promise 2027-03-05"]),
        ("es", "El importe será transferido el viernes", ["promise 2027-03-05"]),
        ("es", "Pagamos el viernes pasado.", ["paid 2027-02-26"]),
        ("en", "We are paying the 900.00 next Friday.", ["promise 2027-03-05"]),
        ("en", "We pay EUR 900.00 on Friday", ["promise 2027-03-05 900.00 EUR"]),
        ("en", "The amount is being transferred on Friday", ["promise 2027-03-05"]),
        ("en", "As we have not paid yet we will pay on Friday", ["promise 2027-03-05"]),
        ("fr", "Nous payons les 900 € vendredi prochain", ["promise 2027-03-05 900 EUR"]),
        ("fr", "Nous ferons le virement vendredi", ["promise 2027-03-05"]),
        ("it", "Paghiamo i 900 € venerdì prossimo", ["promise 2027-03-05 900 EUR"]),
        ("pt-BR", "Pagamos os 900,00 EUR na próxima sexta-feira", ["promise 2027-03-05 900.00 EUR"]),
        ("pt-BR", "Faremos a transferência na sexta-feira", ["promise 2027-03-05"]),
        ("pt-BR", "Já pagamos na sexta-feira passada", ["paid 2027-02-26"]),
        ("pt-BR", "Foi pago na sexta", ["paid 2027-02-26"]),
        ("ru", "Мы платим 900 евро в следующую пятницу", ["promise 2027-03-05 900 EUR"]),
        ("ru", "Сумма будет переведена 4 декабря", ["promise 2027-12-04"]),
        ("bg", "Плащаме следващия петък", ["promise 2027-03-05"]),
        ("bg", "Ще направим превода в петък", ["promise 2027-03-05"]),
        ("id", "Kami bayar tagihan ini sebesar 900 euro hari Jumat", ["promise 2027-03-05 900 EUR"]),
        # Things that are missing or broken, and a part of the invoice
        ("en", "I dispute 300 of this invoice.", ["dispute"]),
        ("en", "We dispute €300 of it", ["dispute 300 EUR"]),
        ("en", "Two of the boxes were broken. We will not pay 300.00 of it.", ["dispute"]),
        ("en", "Two boxes were broken. We will not pay EUR 300.00 of it.", ["dispute", "dispute 300.00 EUR"]),
        ("en", "We do not accept the invoice for broken goods", ["dispute"]),
        ("de", "Es fehlen drei Kartons.", ["dispute"]),
        ("de", "Zwei der Kartons waren beschädigt.", ["dispute"]),
        ("es", "Faltan tres cajas.", ["dispute"]),
        ("es", "Dos cajas estaban rotas.", ["dispute"]),
        ("fr", "Il manque trois cartons.", ["dispute"]),
        ("it", "Mancano tre scatole.", ["dispute"]),
        ("pt-BR", "Faltam três caixas.", ["dispute"]),
        ("pt-BR", "No pedido faltam três caixas.", ["dispute"]),
        ("ru", "Не хватает трёх коробок.", ["dispute"]),
        ("bg", "Липсват три кашона.", ["dispute"]),
        ("id", "Tiga kotak kurang.", ["dispute"]),
        # In another language than the customer's
        ("de", "We will pay on 10 March", ["promise 2027-03-10"]),
        ("en", "Ya pagué ayer", ["paid 2027-03-01"]),
    ],
)
def test_what_is_proposed(language: str, text: str, expected: list[str]) -> None:
    assert read(language, text) == expected


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("en", "We have not paid yet."),
        ("en", "Our customers have not paid us; that is none of your business"),
        ("en", "Have we already paid?"),
        ("en", "Thank you for your message."),
        ("en", "We will not pay this."),
        ("en", "The invoice number is 2027-0312"),
        ("en", "This is the wrong person"),
        ("en", "The rest is correct"),
        ("de", "Der Rest ist richtig"),
        ("es", "El resto está bien"),
        ("de", "Wir haben noch nicht bezahlt"),
        ("de", "Wir werden das nicht bezahlen"),
        ("de", "Vielen Dank für Ihre Nachricht"),
        ("es", "Todavía no he pagado"),
        ("es", "No vamos a pagar"),
        ("es", "¿Ya pagamos?"),
        ("fr", "Nous n'avons pas encore payé"),
        ("it", "Non abbiamo ancora pagato"),
        ("pt-BR", "Ainda não paguei"),
        ("ru", "Мы ещё не оплатили"),
        ("ru", "Спасибо за письмо"),
        ("bg", "Все още не сме платили"),
        ("bg", "Няма да платим"),
        ("id", "Kami belum bayar"),
        ("id", "Terima kasih"),
        ("de", "Wir zahlen nicht am Freitag"),
        ("de", "Wir zahlen keinen Cent am Freitag"),
        ("de", "Der Betrag wird am 4. Dezember nicht überwiesen"),
        ("de", "Es fehlen keine Kartons"),
        ("de", "Wir zahlen die Rechnung, wenn Sie am Freitag liefern"),
        ("en", "We are not paying next Friday"),
        ("en", "We aren't paying the 900.00 next Friday"),
        ("en", "None of the boxes was broken"),
        ("en", "I don't dispute 300 of this invoice"),
        ("es", "No pagamos el viernes que viene"),
        ("es", "No haremos la transferencia el viernes"),
        ("es", "No faltan cajas"),
        ("es", "Falta la firma del director"),
        ("fr", "Nous ne payons pas vendredi"),
        ("fr", "Nous ne ferons pas le virement vendredi"),
        ("it", "Non paghiamo venerdì"),
        ("it", "Non faremo il bonifico venerdì"),
        ("it", "Non mancano scatole"),
        ("pt-BR", "Não pagamos na sexta-feira"),
        ("pt-BR", "Não faremos a transferência na sexta"),
        ("pt-BR", "Não faltam caixas"),
        ("ru", "Не платим в пятницу"),
        ("ru", "Сумма не будет переведена в пятницу"),
        ("bg", "Не плащаме в петък"),
        ("bg", "Не липсват кашони"),
        ("id", "Kami tidak bayar hari Jumat"),
        ("id", "Kotak tidak ada yang kurang"),
    ],
)
def test_what_is_not_said_is_not_proposed(language: str, text: str) -> None:
    said = {one.partition(" ")[0] for one in read(language, text)}
    assert not said & {"paid", "promise", "dispute"}


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("en", "I paid 300 yesterday. The rest is wrong: the table was billed twice."),
        ("en", "I paid 300 yesterday, but the rest is not right"),
        ("de", "Ich habe gestern 300 bezahlt. Der Rest ist falsch: der Tisch wurde doppelt berechnet."),
        ("es", "Ayer pagué 300. El resto está mal: facturaron la mesa dos veces."),
        ("fr", "J'ai payé 300 hier. Le reste est faux : la table est facturée deux fois."),
        ("it", "Ieri ho pagato 300. Il resto è sbagliato: il tavolo è fatturato due volte."),
        ("pt-BR", "Ontem paguei 300. O resto está errado: cobraram a mesa duas vezes."),
        ("ru", "Вчера оплатили 300. Остальное неверно: стол посчитали дважды."),
        ("bg", "Платих вчера 300. Останалото е грешно: масата е фактурирана два пъти."),
        ("id", "Kemarin sudah dibayar 300. Sisanya salah: meja ditagih dua kali."),
    ],
)
def test_two_things_said_in_one_mail_are_two_proposals(language: str, text: str) -> None:
    assert {one.partition(" ")[0] for one in read(language, text)} == {"paid", "dispute"}


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("en", "We paid yesterday. Please do not call me any more."),
        ("en", "We have paid, so never call us again"),
        ("en", "We paid and want no more calls"),
        ("de", "Wir haben gestern bezahlt. Rufen Sie mich nicht mehr an!"),
        ("de", "Ist schon bezahlt, bitte nicht mehr anrufen"),
        ("es", "Ya pagamos. No me llamen más."),
        ("es", "Ya pagué, dejen de llamarme"),
        ("fr", "Nous avons payé hier. Ne m'appelez plus."),
        ("fr", "C'est payé depuis hier, merci de ne plus nous appeler"),
        ("it", "Abbiamo già pagato. Non chiamatemi più."),
        ("it", "Ho pagato ieri, non mi chiami più"),
        ("pt-BR", "Já pagamos ontem. Não me ligue mais."),
        ("pt-BR", "Já paguei, parem de me ligar"),
        ("ru", "Мы уже оплатили. Больше мне не звоните."),
        ("ru", "Вчера оплатили, прошу не звонить"),
        ("bg", "Вече платихме. Не ми се обаждайте повече."),
        ("bg", "Платих вчера, не ми звънете"),
        ("id", "Sudah dibayar kemarin. Jangan telepon saya lagi."),
        ("id", "Kami sudah bayar, tidak usah menghubungi kami lagi"),
    ],
)
def test_who_paid_and_wants_no_calls_says_two_things_and_asks_for_no_call(language: str, text: str) -> None:
    assert {one.partition(" ")[0] for one in read(language, text)} == {"paid", "pestered"}


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("en", "I dispute invoice 123"),
        ("en", "We do not agree with the invoice"),
        ("en", "This invoice is disputed"),
        ("en", "You charged us too much"),
        ("de", "Wir sind mit der Rechnung nicht einverstanden"),
        ("de", "Diese Forderung ist strittig"),
        ("de", "Sie haben uns zu viel berechnet"),
        ("es", "Disputamos la factura 123"),
        ("es", "No aceptamos este cargo"),
        ("fr", "Nous ne sommes pas d'accord avec la facture"),
        ("fr", "Vous avez trop facturé"),
        ("it", "Non accettiamo questa fattura"),
        ("it", "Avete addebitato troppo"),
        ("pt-BR", "Não reconheço esta cobrança"),
        ("pt-BR", "Não estamos de acordo com o valor"),
        ("ru", "Мы не признаем этот счет"),
        ("ru", "Сумма спорная"),
        ("bg", "Не приемаме фактурата"),
        ("bg", "Сумата е спорна"),
        ("id", "Kami menolak tagihan ini"),
        ("id", "Kami ditagih terlalu banyak"),
    ],
)
def test_a_dispute_is_recognised_as_a_promise_is_though_nobody_knows_whose_it_is(language: str, text: str) -> None:
    assert read(language, text) == ["dispute"]
    of_nobody = Reader("en", "", TODAY)
    assert [one.line for one in proposals_in(text, of_nobody)] == [ReplyLine.DISPUTE]


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("en", "We do not dispute the invoice"),
        ("de", "Wir bestreiten die Rechnung nicht"),
        ("es", "No disputamos la factura"),
        ("fr", "Nous ne contestons pas la facture"),
        ("it", "Non contestiamo la fattura"),
        ("pt-BR", "Não contestamos a fatura"),
        ("ru", "Счет мы не оспариваем"),
        ("bg", "Не оспорваме фактурата"),
        ("id", "Kami tidak menolak tagihan ini"),
    ],
)
def test_who_says_that_nothing_is_wrong_disputes_nothing(language: str, text: str) -> None:
    assert "dispute" not in read(language, text)


def test_a_negation_in_one_part_of_a_sentence_leaves_what_the_other_says() -> None:
    assert read("en", "We will pay on Friday, but never call us again") == ["promise 2027-03-05", "pestered"]
    assert read("de", "Wir zahlen am Freitag, aber rufen Sie uns nie wieder an") == ["promise 2027-03-05", "pestered"]
    assert read("en", "Do not write any more, please call me") == ["call"]


@pytest.mark.parametrize(
    ("country", "text", "day"),
    [
        ("US", "We will pay on 04/05", "2027-04-05"),
        ("GB", "We will pay on 04/05", "2027-05-04"),
        ("US", "We will pay on 13/05", "2027-05-13"),
        ("GB", "We will pay on 2027-03-09", "2027-03-09"),
        ("GB", "We will pay on 5 January", "2028-01-05"),
        ("GB", "We will pay on 31/02", None),
        ("GB", "We will pay on 5 March 2035", None),  # nobody means that
        ("GB", "We will pay within 10 days", "2027-03-12"),
        ("GB", "We will pay on the 15th", "2027-03-15"),
        ("GB", "We will pay 12.50 euros", None),
    ],
)
def test_days_are_read_as_the_country_writes_them(country: str, text: str, day: str | None) -> None:
    (found,) = proposals_in(text, Reader("en", country, TODAY, "EUR"))
    assert (str(found.day) if found.day else None) == day


_SIGNS = {
    "EUR": ("€", "EUR", "евро"),
    "USD": ("$", "USD", "US$"),
    "GBP": ("£", "GBP"),
    "BRL": ("R$", "BRL"),
    "BGN": ("лв", "лв.", "BGN"),
    "RUB": ("руб", "руб.", "RUB", "₽"),
    "IDR": ("Rp", "IDR"),
    "CHF": ("CHF",),
    "PLN": ("zł", "PLN"),
    "SEK": ("kr", "kr.", "SEK"),
}


@pytest.mark.parametrize("currency", _SIGNS)
@pytest.mark.parametrize("invoiced", _SIGNS)
def test_an_amount_in_another_currency_is_left_out_and_the_day_stays(invoiced: str, currency: str) -> None:
    reader = Reader("en", "GB", TODAY, invoiced, {Decimal(400)})
    for sign in _SIGNS[currency]:
        for written in (f"400 {sign}", f"400{sign}", f"{sign} 400", f"{sign}400"):
            (found,) = proposals_in(f"We will pay {written} on Friday", reader)
            expected = (Decimal(400), invoiced) if invoiced == currency else (None, None)
            assert (found.day, (found.amount, found.currency)) == (date(2027, 3, 5), expected), written


@pytest.mark.parametrize(
    ("text", "amount"),
    [
        ("ще платя до петък 400 лв.", None),
        ("ще платя до петък 400 лв. (204,52 €)", Decimal("204.52")),
        ("ще платя до петък 400", Decimal(400)),
        ("I will pay C$400 on Friday", None),
        ("I will pay NZ$ 400 on Friday", None),
    ],
)
def test_of_several_amounts_that_in_the_currency_of_the_invoice_counts(text: str, amount: Decimal | None) -> None:
    (found,) = proposals_in(text, Reader("bg", "BG", TODAY, "EUR", {Decimal(400)}))
    assert (found.day, found.amount) == (date(2027, 3, 5), amount)


def test_each_proposal_shows_the_words_it_was_read_from() -> None:
    text = "Dear Ana,\n\nthank you for your mail of\nlast week. We will pay on\nFriday.\n\nKind regards"
    (found,) = proposals_in(text, Reader("en", "GB", TODAY))
    assert found.words == "We will pay on Friday"


def test_every_language_of_the_messages_is_recognised() -> None:
    assert languages() == tuple(sorted(path.stem for path in FOLDER.parent.glob("*.toml")))
    for language in languages():
        words = words_of(language)
        assert set(words.lines) == set(ReplyLine)
        assert (len(words.weekdays), len(words.numbers), set(words.months.values())) == (7, 10, set(range(1, 13)))


def test_a_text_made_to_take_long_takes_no_time() -> None:
    for part in (
        "we will ",
        "1.",
        "on ",
        "1 ",
        "no ",
        "ya ",
        "a,",
        "€",
        "wir werden ",
        "не ",
        "zahlen 1,",
        "paying x ",
    ):
        proposals_in(part * 5_000, Reader("en", "GB", TODAY, "EUR"))
