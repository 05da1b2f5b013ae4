"""serve(settings): the app behind granian, in this one process.

One process on purpose: the group commit and the render queue are shared by all requests, and a
process that is killed leaves no child behind that holds the port.
"""

import asyncio
import logging
import os
import signal
import socket

from granian.constants import Interfaces
from granian.http import HTTP1Settings
from granian.server.embed import Server

from personalize.engine import Engine
from personalize.errors import AddressInUse
from personalize.service.app import create_app
from personalize.service.logs import configure_logging
from personalize.settings import Settings

HEADER_TIMEOUT_MS = 10_000
BACKLOG = 1024
SETTLE_SECONDS = 0.2


def serve(settings: Settings) -> None:
    """Serve until SIGTERM or Ctrl+C; requests that have begun are answered first.

    Raises:
        DatabaseOutOfDate, NoStylesOnOffer, UnknownExperiment: before anything listens.
        AddressInUse: something else listens there, or the address is not ours.
    """
    _require_free(settings.host, settings.port)
    Engine.open(settings).close()
    configure_logging()
    asyncio.run(_serve(settings))


def _require_free(host: str, port: int) -> None:
    """Granian shares its port with whoever shares it too; a second server would get half of the requests."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            if os.name == "posix":
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        raise AddressInUse(host, port, error.strerror or str(error)) from error


async def _serve(settings: Settings) -> None:
    server = Server(
        create_app(settings),
        address=settings.host,
        port=settings.port,
        interface=Interfaces.ASGI,
        websockets=False,
        backlog=BACKLOG,
        http1_settings=HTTP1Settings(header_read_timeout=HEADER_TIMEOUT_MS),
        log_enabled=False,
    )
    loop = asyncio.get_running_loop()
    for signal_number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(signal_number, server.stop)
    logging.getLogger(__name__).info("service_starting", extra={"host": settings.host, "port": settings.port})
    await server.serve()
    await asyncio.sleep(SETTLE_SECONDS)  # granian's own threads end a moment after it says so
