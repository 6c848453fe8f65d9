// The API by fetch: start an invoice, pay it, ask what the account may do, check a webhook.
//
//     DUNWELL_URL=http://127.0.0.1:8080 DUNWELL_KEY=dwl_... node client.ts invoice.json
//
// Node 22.18 and later run TypeScript as it is.
import { createHmac, timingSafeEqual } from "node:crypto";
import { readFileSync } from "node:fs";

const url = process.env.DUNWELL_URL;
const key = process.env.DUNWELL_KEY;

async function call(method: string, path: string, body: unknown = undefined, headers: Record<string, string> = {}): Promise<any> {
  const answer = await fetch(url + path, {
    method,
    headers: { Authorization: `Bearer ${key}`, "Content-Type": "application/json", ...headers },
    body: body === undefined ? undefined : JSON.stringify(body),
    signal: AbortSignal.timeout(10_000),
  });
  const content = await answer.json();
  if (!answer.ok) throw new Error(`${answer.status}: ${content.field ?? ""} ${content.reason ?? JSON.stringify(content)}`);
  return content;
}

// Fail open: without an answer the customer is let in.
async function access(customerId: string): Promise<string> {
  try {
    return (await call("GET", `/api/accounts/${customerId}/access`)).access;
  } catch {
    return "full";
  }
}

// Check the header Dunwell-Signature over the raw body, before the body is parsed.
export function isGenuine(body: string, header: string, secret: string, now: number = Date.now() / 1000): boolean {
  const parts = new URLSearchParams(header.replaceAll(",", "&"));
  const moment = parts.get("t") ?? "";
  if (!/^[0-9]+$/.test(moment) || Math.abs(now - Number(moment)) > 300) return false;
  const wanted = createHmac("sha256", secret).update(`${moment}.${body}`).digest("hex");
  const given = parts.get("v1") ?? "";
  return wanted.length === given.length && timingSafeEqual(Buffer.from(wanted), Buffer.from(given));
}

if (process.argv[2]) {
  const invoice = JSON.parse(readFileSync(process.argv[2], "utf8"));
  const started = await call("POST", "/api/invoices", invoice);
  console.log("start:", started.items[0].result);

  const payment = { payment_id: "bank-7731", amount: invoice.amount, currency: invoice.currency };
  // The same Idempotency-Key again is the same request, so a lost answer may be asked for again.
  const path = `/api/cases/${invoice.invoice_id}/payment_received`;
  const told = await call("POST", path, payment, { "Idempotency-Key": "bank-7731" });
  console.log("pay:", told.stage ?? "accepted");

  console.log("access:", await access(invoice.customer.id));
}
