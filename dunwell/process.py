"""How a process of Dunwell tells whoever started it that it works, and how it ends."""

import logging
import os
import sys
from typing import NoReturn

MISCONFIGURED = 78
"""Exit code: what is wrong stays wrong until somebody changes the settings, so starting again is of no use."""

READY = "ready"
"""What worker and web service write into their log as soon as they do their work."""


def leave(code: int) -> NoReturn:
    """End the process at once, with all that was said written out.

    The engine's client keeps threads of its own, and an interpreter that is taken down under them can abort, so
    that a process which did all its work reports a crash (seen now and then after short commands).
    """
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
