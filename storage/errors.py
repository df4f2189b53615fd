"""What can go wrong in the record.

StorageError
├── BadDatabaseUrl          the URL cannot be used, with the reason
├── SchemaNotCurrent        the database lacks migrations; `fairlead db upgrade` applies them
├── StoreUnavailable        locked, full, unreachable; worth trying again
│   └── SpoolFull           and the spool cannot take more either
├── WriterOverflow          more records wait than the writer may hold
├── WriterClosed            the writer is stopping or stopped
├── RecordRejected          this one record cannot be stored; others can
├── SpoolHeld               records to be changed are in a running process's spool
├── InvalidCursor           a page cursor that this store did not give out
├── DuplicateRecord         a row with this id or key is already there
├── MissingRecord           the exchange that a row speaks of is not there
└── ExportError             an export cannot be written, with the reason
    └── LabellingFailed     a labelling function failed or cast no vote that there is

Libraries' errors (SQLAlchemy, drivers, Alembic, pyarrow, the operating system) are mapped to these
where they arise and kept as `__cause__`.
"""

from __future__ import annotations


class StorageError(Exception):
    """Anything the record could not do."""

    label = "storage"


class BadDatabaseUrl(StorageError):
    """The database URL cannot be used."""

    label = "bad_database_url"


class SchemaNotCurrent(StorageError):
    """The database is not at the newest migration."""

    label = "schema_not_current"


class StoreUnavailable(StorageError):
    """The store cannot be reached or written now."""

    label = "store_unavailable"


class SpoolFull(StoreUnavailable):
    """The store is away and its spool is at its limit or cannot be written."""

    label = "spool_full"


class WriterOverflow(StorageError):
    """More records wait than the writer may hold."""

    label = "writer_overflow"


class WriterClosed(StorageError):
    """The writer no longer takes records."""

    label = "writer_closed"


class RecordRejected(StorageError):
    """One record cannot be stored as it is."""

    label = "record_rejected"


class SpoolHeld(StorageError):
    """Records that are to be changed wait in the spool of a running process."""

    label = "spool_held"


class InvalidCursor(StorageError):
    """A page cursor that this store did not give out."""

    label = "invalid_cursor"


class DuplicateRecord(StorageError):
    """A row with this id or key exists."""

    label = "duplicate_record"


class MissingRecord(StorageError):
    """The exchange that a row speaks of is not there."""

    label = "missing_record"


class ExportError(StorageError):
    """An export cannot be written.

    `option` names what was asked for and cannot be had, as in a query: `document_repo`.
    """

    label = "export"

    def __init__(self, message: str, *, option: str | None = None) -> None:
        super().__init__(message)
        self.option = option


class LabellingFailed(ExportError):
    """A labelling function failed, or said what is no vote."""

    label = "labelling"
