"""From replies to the caller's results."""
