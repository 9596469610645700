"""What visitors report, and what the owner of a page hides: files in the home, beside the collections.

`hidden.py` keeps the list of hidden pictures of a collection, `reports.py` what visitors said.
"""
