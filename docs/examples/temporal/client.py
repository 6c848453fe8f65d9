"""The bare Temporal client: start the case of a registered invoice, tell it of a payment, ask how it stands.

TEMPORAL_ADDRESS=127.0.0.1:7233 python client.py INV-1
"""

import asyncio
import os
import sys

from temporalio.client import Client
from temporalio.common import WorkflowIDConflictPolicy, WorkflowIDReusePolicy


async def main(invoice_id: str) -> None:
    namespace = os.environ.get("TEMPORAL_NAMESPACE", "default")
    client = await Client.connect(os.environ["TEMPORAL_ADDRESS"], namespace=namespace)
    # The invoice is registered by `starter.py start` or POST /api/invoices; a case started before that waits for it.
    case = await client.start_workflow(
        "InvoiceDunning",
        {"invoice_id": invoice_id},
        id=f"invoice-{invoice_id}",
        task_queue="dunning",
        id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
        id_reuse_policy=WorkflowIDReusePolicy.REJECT_DUPLICATE,
    )
    payment = {"payment_id": "bank-7731", "amount": "10.00", "currency": "EUR"}
    # An update of the same name answers with the status or the refusal.
    await case.signal("payment_received", payment)
    status = await case.query("status")
    print(status["invoice_id"], status["stage"], status["amount_due"], status["currency"])


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
