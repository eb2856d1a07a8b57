"""Where workers live. An Executor drives a `WorkerHost`; `local` is a subprocess over pipes on this machine."""
