"""Which pictures of a collection are copies of each other, and which of them to keep.

`candidates.py` says how near copies are as vectors, `pairs.py` searches from every point and compares pixels
(`same_picture.py`), `groups.py` joins pairs and chooses what to keep, `listing.py` makes the tables.
"""
