"""The web server of the page: for this machine and this person only."""

from __future__ import annotations

import json
import secrets
import sys
from collections.abc import Callable, Mapping
from functools import partial
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files
from typing import Any

from gantk import json_text
from gantk.errors import GantkError, UsageError, briefly
from gantk.explorer.place import place_of
from gantk.explorer.session import Session

__all__ = ["Server"]

LARGEST = 32 << 20
"""Maximum number of bytes of a request."""

HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}

PAGE = {
    "": ("page.html", "text/html; charset=utf-8"),
    "page.css": ("page.css", "text/css; charset=utf-8"),
    "page.js": ("page.js", "text/javascript; charset=utf-8"),
}


class Server(ThreadingHTTPServer):
    """Serves the page at an address of this machine that contains a random token; without the token, nothing.

    Args:
        session: what is explored.
        port: the port; 0 for a free one.

    Raises:
        UsageError: the port is in use.
    """

    daemon_threads = True

    def __init__(self, session: Session, port: int = 0) -> None:
        self.token = secrets.token_urlsafe(24)
        self.answers: Mapping[str, Callable[[bytes], tuple[str, bytes]]] = {
            "about": lambda body: _json(session.about()),
            "picture": lambda body: ("image/png", session.picture(place_of(_read(body)))),
            "strip": lambda body: ("image/png", session.strip(place_of(_read(body)))),
            "noise": lambda body: ("application/octet-stream", session.noise_file(place_of(_read(body)))),
            "nearest": lambda body: _json(session.nearest(session.image(place_of(_read(body))))),
            "nearest-dropped": lambda body: _json(session.nearest(session.dropped(body))),
            "reconstruction": lambda body: _json(session.reconstruction(session.dropped(body))),
        }
        try:
            super().__init__(("127.0.0.1", port), partial(_Handler))
        except (OSError, OverflowError) as error:
            raise UsageError(f"port {port} cannot be used ({error}): choose another --port.") from error

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Nothing for a page that is closed while it is answered."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)

    @property
    def address(self) -> str:
        """Where the page is."""
        return f"http://127.0.0.1:{self.server_port}/{self.token}/"


class _Handler(BaseHTTPRequestHandler):
    server: Server
    protocol_version = "HTTP/1.1"
    timeout = 60

    def do_GET(self) -> None:
        name = self._name()
        if name is None or name not in PAGE:
            self._answer(HTTPStatus.NOT_FOUND, "text/plain; charset=utf-8", b"not found\n")
            return
        file, kind = PAGE[name]
        self._answer(HTTPStatus.OK, kind, files("gantk.explorer").joinpath("assets", file).read_bytes())

    def do_POST(self) -> None:
        name = self._name()
        size = self.headers.get("Content-Length", "")
        if name is None or name not in self.server.answers:
            self._refuse(HTTPStatus.NOT_FOUND, "not found")
        elif not size.isdecimal() or len(size) > len(str(LARGEST)) or int(size) > LARGEST:
            self._refuse(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"expected at most {LARGEST >> 20} MB")
        else:
            self._answer_with(self.server.answers[name], self.rfile.read(int(size)))

    def _answer_with(self, answer: Callable[[bytes], tuple[str, bytes]], body: bytes) -> None:
        try:
            kind, content = answer(body)
        except GantkError as error:
            self._refuse(HTTPStatus.BAD_REQUEST, briefly(error))
        except Exception as error:  # noqa: BLE001 - a part that is explored can raise anything, and the page says it
            self._refuse(HTTPStatus.INTERNAL_SERVER_ERROR, f"{type(error).__name__}: {briefly(error)}")
        else:
            self._answer(HTTPStatus.OK, kind, content)

    def _name(self) -> str | None:
        """What is asked for behind the token; `None` without it, or if a page elsewhere pretends to be this server."""
        hosts = {f"{name}:{self.server.server_port}" for name in ("127.0.0.1", "localhost")}
        _, _, rest = self.path.partition("/")
        token, slash, name = rest.partition("/")
        right = secrets.compare_digest(token.encode(), self.server.token.encode())
        return name if right and slash and self.headers.get("Host") in hosts else None

    def _refuse(self, status: HTTPStatus, why: str) -> None:
        self.close_connection = True  # what is left of the request is not read
        self._answer(status, "application/json", json.dumps({"error": why}).encode())

    def _answer(self, status: HTTPStatus, kind: str, content: bytes) -> None:
        self.send_response(status)
        for name, value in {**HEADERS, "Content-Type": kind, "Content-Length": str(len(content))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def version_string(self) -> str:
        return "gantk"

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: the token would be in the log."""


def _json(found: Any) -> tuple[str, bytes]:
    return "application/json", json.dumps(found, allow_nan=False).encode()


def _read(body: bytes) -> Any:
    try:
        return json_text.loads(body)
    except ValueError as error:
        raise UsageError(f"no JSON: {error}.") from error
