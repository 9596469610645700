"""What a job asks of its Ray cluster: actors and room for them, and work spread over tasks."""
