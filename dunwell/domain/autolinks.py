"""Finds what mail programs and telephones turn into links, in text that should hold none: a name, a number.

Otherwise a customer's name could place a foreign link into our messages.
"""

import re

WORD_JOINER = "\N{WORD JOINER}"
"""Invisible, and a program does not recognise a web address with it inside."""

_COUNTRIES = (
    "ac ad ae af ag ai al am ao aq ar as at au aw ax az ba bb bd be bf bg bh bi bj bl bm bn bo bq br bs bt bv bw by "
    "bz ca cc cd cf cg ch ci ck cl cm cn co cr cu cv cw cx cy cz de dj dk dm do dz ec ee eg eh er es et eu fi fj fk "
    "fm fo fr ga gb gd ge gf gg gh gi gl gm gn gp gq gr gs gt gu gw gy hk hm hn hr ht hu id ie il im in io iq ir is "
    "it je jm jo jp ke kg kh ki km kn kp kr kw ky kz la lb lc li lk lr ls lt lu lv ly ma mc md me mf mg mh mk ml mm "
    "mn mo mp mq mr ms mt mu mv mw mx my mz na nc ne nf ng ni nl no np nr nu nz om pa pe pf pg ph pk pl pm pn pr ps "
    "pt pw py qa re ro rs ru rw sa sb sc sd se sg sh si sj sk sl sm sn so sr ss st su sv sx sy sz tc td tf tg th tj "
    "tk tl tm tn to tr tt tv tw tz ua ug uk um us uy uz va vc ve vg vi vn vu wf ws ye yt za zm zw"
)
_OTHERS = (
    "com net org info biz name pro mobi app dev cloud online site shop store tech xyz top club live click link page "
    "life world today icu vip work email digital agency media news blog space website fun win loan bid men review "
    "eu.com edu gov mil int"
)
_ENDING = "|".join(re.escape(word) for word in (*_COUNTRIES.split(), *_OTHERS.split()))
_DOMAIN = rf"(?<![\w.@-])(?!co\.kg)(?:[^\W_](?:[\w-]*[^\W_])?\.)+(?:{_ENDING})(?![\w-]|\.\w)"
_BARE = re.compile(rf"(?=[\w-]{{2}}){_DOMAIN}", re.IGNORECASE)
_LINK = re.compile(
    rf"[a-z][a-z0-9+-]*://\S*|\bwww\.\S+|\b(?:mailto|tel|sms|javascript):\S+|[\w.+-]+@[\w-]+\.\w+|{_DOMAIN}[/?#:]\S+",
    re.IGNORECASE,
)


def link_in(text: str) -> str | None:
    """The first web or e-mail address of `text`: with a scheme, `www.`, a path or an @; None without one."""
    found = _LINK.search(text)
    return found[0] if found else None


def domain_in(text: str) -> str | None:
    """The first bare domain of `text`, such as "Booking.com"; None without one. "GmbH & Co.KG" holds none."""
    found = _BARE.search(text)
    return found[0] if found else None


def unlinked(text: str, apart: str = WORD_JOINER) -> str:
    """`text` with `apart` before the full stops of its domains, so that no program makes links of them."""
    return _BARE.sub(lambda found: found[0].replace(".", f"{apart}."), text)
