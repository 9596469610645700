"""What is odd in a collection and what is typical: clusters, outliers, doubtful labels, coverage.

`clusters.py`, `label_noise.py` and `coverage.py` are pure functions over vectors, neighbours and labels;
`examine.py` reads a version and calls them, `page.py` shows the result.
"""
