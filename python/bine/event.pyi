from ._bine import AsyncResult as AsyncResult, Event as Event
