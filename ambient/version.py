"""The version of the distribution, alone in its file so that nothing is imported to read it."""

__version__ = "0.1.0"
