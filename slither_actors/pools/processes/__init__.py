"""The operating-system side of workers: how processes are made, watched and reaped."""
