"""Cannot be imported, by what is no Exception."""

raise KeyboardInterrupt("while it is imported")
