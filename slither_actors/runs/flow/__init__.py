"""What bounds a run: credit in items, bytes, order."""
