"""The figures that receivables managers read: pure formulas over the invoices of one currency."""
