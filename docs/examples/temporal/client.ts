// The bare Temporal client (npm install @temporalio/client): start the case of a registered invoice, tell it of a
// payment, ask how it stands.
//
//     TEMPORAL_ADDRESS=127.0.0.1:7233 node client.ts INV-1
import { Client, Connection } from "@temporalio/client";

const invoiceId = process.argv[2];
const connection = await Connection.connect({ address: process.env.TEMPORAL_ADDRESS });
const client = new Client({ connection, namespace: process.env.TEMPORAL_NAMESPACE ?? "default" });

// The invoice is registered by `starter.py start` or POST /api/invoices; a case started before that waits for it.
const handle = await client.workflow.start("InvoiceDunning", {
  args: [{ invoice_id: invoiceId }],
  workflowId: `invoice-${invoiceId}`,
  taskQueue: "dunning",
  workflowIdConflictPolicy: "USE_EXISTING",
  workflowIdReusePolicy: "REJECT_DUPLICATE",
});
// An update of the same name answers with the status or the refusal.
await handle.signal("payment_received", { payment_id: "bank-7731", amount: "10.00", currency: "EUR" });
const status = await handle.query<{ stage: string; amount_due: string; currency: string }>("status");
console.log(invoiceId, status.stage, status.amount_due, status.currency);
await connection.close();
