"""What a job leaves with a version for its readers, as JSON."""

from typing import ClassVar, Protocol, Self

from pydantic import ValidationError

from pipeline.config.yaml_file import Frozen
from pipeline.errors import SimileError

__all__ = ["AttachedRecord"]


class _Versioned(Protocol):
    """Such as a `pipeline.search.Collection`."""

    @property
    def name(self) -> str: ...

    def attachment(self, name: str) -> bytes | None: ...


class AttachedRecord(Frozen):
    """What a job leaves; a subclass has its fields.

    Attributes:
        file: name of the attachment.
        job: module of `ray_jobs` that writes it.
    """

    file: ClassVar[str]
    job: ClassVar[str]

    @classmethod
    def of(cls, found: _Versioned) -> Self | None:
        """What the job has left with a collection's live version; None where it was not run.

        Raises:
            SimileError: another version of Simile wrote it.
        """
        data = found.attachment(cls.file)
        if not data:
            return None
        try:
            return cls.model_validate_json(data)
        except ValidationError:
            again = f"python -m ray_jobs.{cls.job} {found.name}"
            raise SimileError(
                f"The {cls.job} of '{found.name}' cannot be read: another version of Simile wrote them; make "
                f"them again with {again}."
            ) from None
