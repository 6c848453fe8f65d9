// The API by Go's standard library: start an invoice, pay it, ask what the account may do, check a webhook.
//
//	DUNWELL_URL=http://127.0.0.1:8080 DUNWELL_KEY=dwl_... go run client.go invoice.json
package main

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log"
	"math"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"
)

var client = &http.Client{Timeout: 10 * time.Second}

func call(method, path string, body any, headers map[string]string, answer any) error {
	var content bytes.Buffer
	if body != nil {
		if err := json.NewEncoder(&content).Encode(body); err != nil {
			return err
		}
	}
	request, err := http.NewRequest(method, os.Getenv("DUNWELL_URL")+path, &content)
	if err != nil {
		return err
	}
	request.Header.Set("Authorization", "Bearer "+os.Getenv("DUNWELL_KEY"))
	request.Header.Set("Content-Type", "application/json")
	for name, value := range headers {
		request.Header.Set(name, value)
	}
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode >= 300 {
		var problem struct{ Field, Reason string }
		json.NewDecoder(response.Body).Decode(&problem)
		return fmt.Errorf("%d: %s %s", response.StatusCode, problem.Field, problem.Reason)
	}
	return json.NewDecoder(response.Body).Decode(answer)
}

// access fails open: without an answer the customer is let in.
func access(customerID string) string {
	var account struct{ Access string }
	if err := call("GET", "/api/accounts/"+customerID+"/access", nil, nil, &account); err != nil {
		return "full"
	}
	return account.Access
}

// isGenuine checks the header Dunwell-Signature over the raw body, before the body is parsed.
func isGenuine(body []byte, header, secret string, now time.Time) bool {
	parts := map[string]string{}
	for _, part := range strings.Split(header, ",") {
		name, value, _ := strings.Cut(part, "=")
		parts[name] = value
	}
	moment, err := strconv.ParseInt(parts["t"], 10, 64)
	if err != nil || math.Abs(float64(now.Unix()-moment)) > 300 {
		return false
	}
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(parts["t"] + "."))
	mac.Write(body)
	return hmac.Equal([]byte(hex.EncodeToString(mac.Sum(nil))), []byte(parts["v1"]))
}

func main() {
	file, err := os.ReadFile(os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	var invoice struct {
		InvoiceID string `json:"invoice_id"`
		Amount    string `json:"amount"`
		Currency  string `json:"currency"`
		Customer  struct{ ID string }
	}
	if err := json.Unmarshal(file, &invoice); err != nil {
		log.Fatal(err)
	}
	var started struct{ Items []struct{ Result string } }
	if err := call("POST", "/api/invoices", json.RawMessage(file), nil, &started); err != nil {
		log.Fatal(err)
	}
	fmt.Println("start:", started.Items[0].Result)

	payment := map[string]string{"payment_id": "bank-7731", "amount": invoice.Amount, "currency": invoice.Currency}
	// The same Idempotency-Key again is the same request, so a lost answer may be asked for again.
	path := "/api/cases/" + invoice.InvoiceID + "/payment_received"
	var told struct{ Stage string }
	if err := call("POST", path, payment, map[string]string{"Idempotency-Key": "bank-7731"}, &told); err != nil {
		log.Fatal(err)
	}
	if told.Stage == "" {
		told.Stage = "accepted"
	}
	fmt.Println("pay:", told.Stage)

	fmt.Println("access:", access(invoice.Customer.ID))
}
