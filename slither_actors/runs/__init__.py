"""One run: its input, its ledger, its error policy, and its output."""
