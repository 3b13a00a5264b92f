"""A folder of logs in, a manifest that reads them out, with a sentence for every guess that it rests on."""

from release_core.guess.manifest import guess, write

__all__ = ["guess", "write"]
