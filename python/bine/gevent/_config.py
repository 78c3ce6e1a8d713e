"""gevent's settings (gevent.config)."""


class Config:
    """The settings by name."""


config = Config()
