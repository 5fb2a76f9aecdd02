"""The error of this package."""


class LoadError(RuntimeError):
    """The extension cannot be loaded; the message says why, and what to do."""
