"""The API by Python's standard library: start an invoice, pay it, ask what the account may do, check a webhook.

DUNWELL_URL=http://127.0.0.1:8080 DUNWELL_KEY=dwl_... python client.py invoice.json
"""

import hmac
import json
import os
import sys
import time
import urllib.error
import urllib.request
from hashlib import sha256
from pathlib import Path
from typing import Any

URL, KEY = os.environ["DUNWELL_URL"], os.environ["DUNWELL_KEY"]


def call(method: str, path: str, body: Any = None, **headers: str) -> Any:
    data = json.dumps(body).encode() if body is not None else None
    known = {"Authorization": f"Bearer {KEY}", "Content-Type": "application/json"}
    request = urllib.request.Request(URL + path, data, known | headers, method=method)
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.load(answer)


def access(customer_id: str) -> str:
    """Fail open: without an answer the customer is let in."""
    try:
        return str(call("GET", f"/api/accounts/{customer_id}/access")["access"])
    except (OSError, ValueError):
        return "full"


def is_genuine(body: bytes, header: str, secret: str, now: float | None = None) -> bool:
    """Check the header Dunwell-Signature over the raw body, before the body is parsed."""
    parts = dict(part.split("=", 1) for part in header.split(",") if "=" in part)
    moment = parts.get("t", "")
    if not moment.isdigit() or abs((now or time.time()) - int(moment)) > 300:
        return False
    wanted = hmac.new(secret.encode(), moment.encode() + b"." + body, sha256).hexdigest()
    return hmac.compare_digest(wanted, parts.get("v1", ""))


def main() -> None:
    invoice = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    started = call("POST", "/api/invoices", invoice)
    print("start:", started["items"][0]["result"])

    payment = {"payment_id": "bank-7731", "amount": invoice["amount"], "currency": invoice["currency"]}
    # The same Idempotency-Key again is the same request, so a lost answer may be asked for again.
    path = f"/api/cases/{invoice['invoice_id']}/payment_received"
    try:
        print("pay:", call("POST", path, payment, **{"Idempotency-Key": "bank-7731"}).get("stage", "accepted"))
    except urllib.error.HTTPError as refused:
        print("refused:", json.load(refused))

    print("access:", access(invoice["customer"]["id"]))


if __name__ == "__main__":
    main()
