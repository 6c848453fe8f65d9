// The bare Temporal client (go get go.temporal.io/sdk): start the case of a registered invoice, tell it of a payment,
// ask how it stands.
//
//	TEMPORAL_ADDRESS=127.0.0.1:7233 go run client.go INV-1
package main

import (
	"context"
	"fmt"
	"log"
	"os"

	"go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"
)

func main() {
	invoiceID := os.Args[1]
	temporal, err := client.Dial(client.Options{
		HostPort:  os.Getenv("TEMPORAL_ADDRESS"),
		Namespace: os.Getenv("TEMPORAL_NAMESPACE"), // empty: "default"
	})
	if err != nil {
		log.Fatal(err)
	}
	defer temporal.Close()

	// The invoice is registered by `starter.py start` or POST /api/invoices; a case started before that waits for it.
	ctx, id := context.Background(), "invoice-"+invoiceID
	options := client.StartWorkflowOptions{
		ID:                       id,
		TaskQueue:                "dunning",
		WorkflowIDConflictPolicy: enums.WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING,
		WorkflowIDReusePolicy:    enums.WORKFLOW_ID_REUSE_POLICY_REJECT_DUPLICATE,
	}
	if _, err := temporal.ExecuteWorkflow(ctx, options, "InvoiceDunning", map[string]string{"invoice_id": invoiceID}); err != nil {
		log.Fatal(err)
	}
	// An update of the same name answers with the status or the refusal.
	payment := map[string]string{"payment_id": "bank-7731", "amount": "10.00", "currency": "EUR"}
	if err := temporal.SignalWorkflow(ctx, id, "", "payment_received", payment); err != nil {
		log.Fatal(err)
	}
	answer, err := temporal.QueryWorkflow(ctx, id, "", "status")
	if err != nil {
		log.Fatal(err)
	}
	var status struct {
		Stage     string `json:"stage"`
		AmountDue string `json:"amount_due"`
		Currency  string `json:"currency"`
	}
	if err := answer.Get(&status); err != nil {
		log.Fatal(err)
	}
	fmt.Println(invoiceID, status.Stage, status.AmountDue, status.Currency)
}
