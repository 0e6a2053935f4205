"""Who may ask: the Host header is one of ours, and beyond this machine a token is shown."""

from __future__ import annotations

import hmac
import ipaddress
import socket
from dataclasses import dataclass
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qs, urlsplit

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

COOKIE = "srgen_view"
_LOOPBACK = ("localhost", "127.0.0.1", "::1")


def is_loopback(host: str) -> bool:
    """Whether an address to bind is this machine's own."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


@dataclass(frozen=True, slots=True)
class Guard:
    """What a request must show."""

    host: str
    """Address that the server is bound to."""
    token: str | None
    """None only on a loopback address."""

    def knows(self, header: str) -> bool:
        """Whether a Host header is a name of this server: a page of another name must not read it (DNS rebinding)."""
        try:
            name = urlsplit(f"//{header}").hostname or ""
        except ValueError:
            return False
        if name in _LOOPBACK:
            return True
        if is_loopback(self.host):
            return name == self.host.lower()
        if name in {self.host.lower(), socket.gethostname().lower(), socket.getfqdn().lower()}:
            return True
        try:
            ipaddress.ip_address(name)
        except ValueError:
            return False
        return True

    def accepts(self, given: str) -> bool:
        """Whether a token is the right one, compared in constant time."""
        return self.token is None or hmac.compare_digest(given.encode(), self.token.encode())


class GuardMiddleware:
    """Refuses what the guard refuses, and moves a token from the address into a cookie."""

    def __init__(self, app: ASGIApp, guard: Guard) -> None:
        self._app = app
        self._guard = guard

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or pass on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        refusal = self._refusal(scope)
        await (refusal or self._app)(scope, receive, send)

    def _refusal(self, scope: Scope) -> Response | None:
        headers = Headers(scope=scope)
        hosts = headers.getlist("host")
        if len(hosts) != 1 or not self._guard.knows(hosts[0]):
            return PlainTextResponse("This server is not called that; open the address that it printed.\n", 421)
        if self._guard.token is None:
            return None
        in_address = parse_qs(scope["query_string"].decode("latin-1")).get("token", [""])[0]
        if in_address and self._guard.accepts(in_address):
            answer = RedirectResponse(scope["path"] if scope["path"] == "/" else "/", 303)
            answer.set_cookie(COOKIE, in_address, httponly=True, samesite="strict")
            return answer
        bearer = headers.get("authorization", "").removeprefix("Bearer ")
        if any(self._guard.accepts(given) for given in (bearer, _cookie(headers.get("cookie", ""))) if given):
            return None
        return PlainTextResponse("A token is needed: open the address that the server printed.\n", 401)


def _cookie(header: str) -> str:
    try:
        jar = SimpleCookie(header)
    except CookieError:
        return ""
    return jar[COOKIE].value if COOKIE in jar else ""
