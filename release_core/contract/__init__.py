"""Log files in, good rows and quarantined rows out: nothing is dropped silently, and every row is accounted for."""

from release_core.contract.columns import Column, columns
from release_core.contract.files import LogFile, files, stamp
from release_core.contract.read import FileReport, read

__all__ = ["Column", "FileReport", "LogFile", "columns", "files", "read", "stamp"]
