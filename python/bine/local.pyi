from _thread import _local

class local(_local):
    def __copy__(self) -> "local": ...
