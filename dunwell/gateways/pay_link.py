"""The short link of an SMS to the page on which an invoice is paid: a code, and nothing about anybody."""

import re

PAY_PATH = "/p"
_CODE = re.compile(r"[\w-]{8}", re.ASCII)


def is_pay_code(text: str) -> bool:
    """Whether `text` may be a code of ours at all."""
    return _CODE.fullmatch(text) is not None
