"""The home's bucket as the lock sees it: with conditional writes, and with the keys of everything else."""

from __future__ import annotations

import configparser
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.errors import SimileError
from pipeline.home import filesystem

if TYPE_CHECKING:
    from obstore.store import ObjectStore

__all__ = ["no_bucket", "object_store", "reason"]

_KEYS = ("aws_access_key_id", "aws_secret_access_key", "aws_session_token")
_PROGRAMS = ("credential_process", "sso_session", "sso_start_url")  # other ways in which a profile has keys
_CODE = re.compile(r"<Code>(\w+)</Code>")  # in the answers of all three providers


def object_store(home: str) -> ObjectStore:
    """The home as an object store with conditional writes, which pyarrow's file systems do not have.

    Both are to use the same settings of S3. By itself obstore takes the region to be us-east-1 where no
    variable says more, and reads neither the profiles of ~/.aws nor AWS_CA_BUNDLE.

    Raises:
        OSError: the file of AWS_CA_BUNDLE cannot be read.
        SimileError: a URL that `pipeline.home.filesystem` refuses, or a profile whose keys only programs
            can tell.
    """
    from obstore.store import from_url

    files: Any = filesystem(home)[0]
    if not home.startswith("s3://"):
        return from_url(home)
    endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL") or ""
    client: Any = {"allow_http": endpoint.startswith("http://")}
    if authority := os.environ.get("AWS_CA_BUNDLE"):
        client["root_certificate"] = Path(authority).read_bytes()
    settings: Any = {"region": files.region, **_keys_of_profile()}
    return from_url(home, config=settings, client_options=client)


def reason(error: Exception) -> str:
    """What obstore says, on one line: without its own dump, and of the server's answer, which may hold a key,
    only the code, such as `NoSuchBucket`."""
    said = " ".join(str(error).partition("Debug source")[0].partition("<")[0].split()).rstrip(" :-")
    code = _CODE.search(str(error))
    return f"{said} ({code[1]})" if code else said


def no_bucket(error: FileNotFoundError) -> bool:
    """Whether it is not the object alone that is missing."""
    code = _CODE.search(str(error))
    return code is not None and code[1] in ("NoSuchBucket", "ContainerNotFound")


def _keys_of_profile() -> dict[str, str]:
    """The keys of the profile AWS_PROFILE, else `default`; none where the environment has keys, which count
    more, or where no profile has any, as on a machine with a role.
    """
    if os.environ.get("AWS_ACCESS_KEY_ID"):
        return {}
    name, ways = os.environ.get("AWS_PROFILE") or "default", set[str]()
    for variable, file, section in (
        ("AWS_SHARED_CREDENTIALS_FILE", "credentials", name),
        ("AWS_CONFIG_FILE", "config", name if name == "default" else f"profile {name}"),
    ):
        profiles = _profiles(Path(os.environ.get(variable) or f"~/.aws/{file}").expanduser())
        said = dict(profiles[section]) if section in profiles else {}
        if _KEYS[0] in said:
            return {key: said[key] for key in _KEYS if key in said}
        ways |= said.keys() & set(_PROGRAMS)
    if ways:
        raise SimileError(
            f"The keys of the AWS profile '{name}' come from {' and '.join(sorted(ways))}, which the lock of "
            "a home in a bucket cannot use; put them into the environment: "
            'eval "$(aws configure export-credentials --format env)".'
        )
    return {}


def _profiles(path: Path) -> configparser.ConfigParser:
    parser = configparser.ConfigParser(interpolation=None, strict=False)
    try:
        parser.read(path, encoding="utf-8")
    except (configparser.Error, UnicodeDecodeError):
        # Without the cause, which quotes a line that may hold a key.
        raise SimileError(
            f"{path} is not a valid file of AWS profiles; correct it, or set AWS_ACCESS_KEY_ID."
        ) from None
    return parser
