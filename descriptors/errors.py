"""The one error that a user's mistake raises in this package."""

from __future__ import annotations


class InputError(ValueError):
    """Something in the user's input is wrong.

    The message is one sentence that says where, what was found, what was needed and what to do. The command line
    prints it without a traceback and exits with code 2.
    """
