"""How the failure of a greenlet is told: the hub prints a traceback, and the rest goes on."""


def failure(greenlet, exception):
    """An exception ended `greenlet` (or one of its links)."""
    from .hub import get_hub

    get_hub().handle_error(greenlet, type(exception), exception, exception.__traceback__)
