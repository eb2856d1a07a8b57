"""Which batch goes to which worker, and when."""
