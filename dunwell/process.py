"""How a process reports to its supervisor that it is ready, and how it ends."""

import logging
import os
import sys
from typing import NoReturn

MISCONFIGURED = 78
"""Exit code for wrong settings: a restart does not help until they are changed."""

READY = "ready"
"""The word that worker and web service log as soon as they are ready."""


def leave(code: int) -> NoReturn:
    """Flush all output and end the process at once.

    Temporal's client has threads of its own, and the interpreter's shutdown can abort under them, so that a process
    which did all its work reports a crash (seen sometimes after short commands).
    """
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
