"""One run: Producer, Batcher, Collector, and the consumer that reads what they make."""
