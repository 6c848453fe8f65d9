"""The check of the bearer tokens that callers send."""

import hmac

from dunwell.web.request_body import Problem


def check_bearer(authorization: str, token: str, setting: str) -> None:
    """Raise Problem 401 unless the header Authorization is "Bearer" with this token, which is never empty.

    The token is compared in constant time. `setting` names the variable that holds it, for the caller's reader.
    """
    scheme, _, given = authorization.partition(" ")
    # The server decodes headers as Latin-1; the bytes that were sent are those of the token in UTF-8.
    sent = given.strip(" \t").encode("latin-1", "replace")
    same = hmac.compare_digest(sent, token.encode())
    if scheme.lower() != "bearer" or not (token and same):
        reason = f"Send the header Authorization: Bearer with the value of {setting}."
        raise Problem(401, reason, headers={"WWW-Authenticate": "Bearer"})
