"""What is submitted to Ray: argument parsing and a summary; the work is in pipeline/."""

from pipeline.installation import end_without_packages

end_without_packages()
