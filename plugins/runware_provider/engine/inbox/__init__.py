"""What the vendor brings by webhook: who may call, and where a call waits until it is in a ledger."""
