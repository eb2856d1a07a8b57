"""One worker of a pool, as its host sees it: life cycle, requests, deadlines, blame."""
