"""What actors run on: the scheduler, its timers, descriptors, mailboxes and background thread."""
