"""The suite under conditions that make what is rare happen.

    make conditions                                          all of them, with the whole suite: half an hour
    make conditions ARGS="cpu-hog --times 10 -- tests/faults"
    python -m tests.conditions --list

Threads that change places at every chance, warnings as errors in each process, a machine of one processor, a machine
that is busy with something else, other versions of CPython: what fails under one of them is a mistake that the usual
conditions hide, of the product or of the test.
"""
