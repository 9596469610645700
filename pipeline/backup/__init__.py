"""A collection as files: saved from one store, restored into the same or another one."""

from pipeline.backup.restore import archived_name, restore_collection
from pipeline.backup.save import save_collection

__all__ = ["archived_name", "restore_collection", "save_collection"]
