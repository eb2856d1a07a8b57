"""From the source of a run to encoded batches."""
