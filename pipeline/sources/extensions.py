"""Which files of a folder are pictures: by the ending of their name, because opening each takes too long."""

__all__ = ["PICTURES", "kind_of"]

# Endings of the formats that `pipeline.images.FORMATS` decodes, in small letters.
PICTURES = frozenset(
    {
        *("jpg", "jpeg", "jpe", "jfif", "jif", "mpo"),
        *("png", "apng"),
        *("webp", "gif", "bmp", "dib", "tif", "tiff"),
        *("avif", "heic", "heif", "hif"),
    }
)
_LONGEST = 12  # characters; what follows the dot of "Mr. Smith and his family" is no kind of file


def kind_of(name: str) -> str:
    """The ending of a file's name, which tells its format, in small letters; empty where it has none.

    >>> kind_of("IMG_1.JPG"), kind_of("IMG_1.JPG.json"), kind_of("README"), kind_of(".hidden")
    ('jpg', 'json', '', '')
    """
    stem, dot, ending = name.rpartition(".")
    return ending.lower() if stem and dot and len(ending) <= _LONGEST and " " not in ending else ""
