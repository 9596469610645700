"""Simile's page: what visitors see and call. It knows Gradio and `pipeline`, and never loads Ray."""
