"""A script: not meant to be imported."""

import sys

sys.exit("usage: something else")
