"""TLS on sockets (gevent.ssl): the module ssl under gevent's name, and wrap_socket() where
CPython has it no more.

The objects are the standard library's own, made cooperative from below. match_hostname() is there
up to CPython 3.11, as in gevent.
"""

import ssl as _real
from ssl import *

from typing import Any

from ._standard import complete

complete(globals(), _real, "socket")

if not hasattr(_real, "wrap_socket"):

    def wrap_socket(sock: Any, keyfile: Any = None, certfile: Any = None, server_side: bool = False,
                    cert_reqs: Any = _real.CERT_NONE, ssl_version: Any = _real.PROTOCOL_TLS,
                    ca_certs: Any = None, do_handshake_on_connect: bool = True,
                    suppress_ragged_eofs: bool = True, ciphers: Any = None) -> Any:
        """An SSLSocket around a connected or listening socket, as ssl.wrap_socket() made it up to
        CPython 3.11: nothing is verified unless `cert_reqs` says so. ValueError for arguments that
        do not go together, SSLError and OSError of the handshake. May switch."""
        if server_side and not certfile:
            raise ValueError("certfile must be specified for server-side operations")
        if keyfile and not certfile:
            raise ValueError("certfile must be specified")
        context = _real.SSLContext(ssl_version)
        context.check_hostname = False
        context.verify_mode = cert_reqs
        if ca_certs:
            context.load_verify_locations(ca_certs)
        if certfile:
            context.load_cert_chain(certfile, keyfile)
        if ciphers:
            context.set_ciphers(ciphers)
        return context.wrap_socket(sock=sock, server_side=server_side,
                                   do_handshake_on_connect=do_handshake_on_connect,
                                   suppress_ragged_eofs=suppress_ragged_eofs)
