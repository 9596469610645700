"""What is submitted to Ray: argument parsing and a summary; the work is in pipeline/."""
