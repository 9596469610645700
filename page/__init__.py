"""Simile's page: what visitors see and call. It knows Gradio and `pipeline`, and never loads Ray."""

from pipeline.installation import end_without_packages

end_without_packages()
