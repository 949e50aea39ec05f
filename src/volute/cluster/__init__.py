"""Batches on many machines: a driver, which alone writes the ledger, and workers in Ray actors."""
