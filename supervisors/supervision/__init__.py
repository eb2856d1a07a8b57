"""Supervisors: child specs, restart policy, start and stop."""
