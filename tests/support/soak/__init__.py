"""Everything at once for a long time: ``python -m support.soak --seconds 600`` in the folder of the tests."""
