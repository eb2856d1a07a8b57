"""The System: what runs in this process, how it starts and ends, and what can be asked of it."""
