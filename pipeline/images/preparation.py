"""Which way from files to the pixels that networks see this is.

A vector may be compared with another only if both pictures were prepared in the same way, so this number is
part of every encoder's fingerprint. Whoever changes what decoding, grounds of transparent pictures, colour
profiles, resizing or number formats make of a picture raises it, all such changes of a release together.

1: colour profiles were ignored, and transparent pictures always set on white.
2: profiles are converted to sRGB; transparent pictures lie on black or white, whichever shows them.
3: JPEGs are decoded at the smallest scale that network and thumbnail can use, whatever the other encoders of
   a job; much larger pictures are averaged over blocks of pixels before they are resized.
"""

__all__ = ["PREPARATION", "UNVERSIONED"]

PREPARATION = 3
UNVERSIONED = 2  # the last one that was no part of a fingerprint
