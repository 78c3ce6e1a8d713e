"""The warning of patching."""


class MonkeyPatchWarning(RuntimeWarning):
    """Patching was asked for in a way that leads to something else than it says."""
