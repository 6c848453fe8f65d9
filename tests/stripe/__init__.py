"""Stripe and other programs that report payments and invoices, from the signed event to the case."""
