"""Somebody of a limited account, with a browser: from the product to the page that explains it, to ask for grace."""

import re
from html import unescape
from urllib.parse import quote, urljoin

import requests

_PATIENCE = 20.0
_LINK = re.compile(r'class="notice".*?<a href="([^"]+)"', re.DOTALL)
_FORM = re.compile(r'<form method="post" action="([^"]+/grace)">(.*?)</form>', re.DOTALL)
_HIDDEN = re.compile(r'<input type="hidden" name="(\w+)" value="([^"]*)">')


class NoSuchPageError(Exception):
    """A page lacks what somebody came for. The text says what."""


def ask_for_grace(product: str | None, account: str) -> None:
    """Open the account in the product, follow the link, tick the box and press the button. Raises NoSuchPageError."""
    if product is None:
        raise NoSuchPageError("there is no product to open")
    address = _found(_LINK, _opened(f"{product}/accounts/{quote(account, safe='')}"), "the product shows no link")[1]
    address = unescape(address)
    form = _found(_FORM, _opened(address), "the page offers no grace")
    typed = {name: unescape(value) for name, value in _HIDDEN.findall(form[2])} | {"agreed": "yes"}
    try:
        requests.post(urljoin(address, form[1]), data=typed, timeout=_PATIENCE).raise_for_status()
    except requests.RequestException as error:
        raise NoSuchPageError(f"the page did not take the form ({type(error).__name__})") from None


def _opened(address: str) -> str:
    try:
        answer = requests.get(address, timeout=_PATIENCE)
        answer.raise_for_status()
    except requests.RequestException as error:
        raise NoSuchPageError(f"a page does not open ({type(error).__name__})") from None
    return answer.text


def _found(pattern: re.Pattern[str], page: str, otherwise: str) -> re.Match[str]:
    found = pattern.search(page)
    if found is None:
        raise NoSuchPageError(otherwise)
    return found
