"""What comes from outside, made up: any bytes are what an entry point promises or its one error, cheaply and soon.

`targets.py` has a function for each entry point, which holds it to that. They are called by hypothesis
(`test_any_input.py`), by a coverage-guided fuzzer (``python -m tests.fuzz``, not part of the suite), and with inputs
made to cost much (`test_bounds.py`).
"""
