"""Bodies that no request needs are refused before they fill the memory."""

from __future__ import annotations

from typing import Any

from starlette.exceptions import HTTPException

MOST = 16 * 2**20
"""Bytes of a request's body."""


class BodyLimit:
    """Answers 413 to a body of more than `MOST` bytes, whether its length is announced or not."""

    def __init__(self, app: Any) -> None:
        self._app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """See ASGI."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        announced = next((value for name, value in scope["headers"] if name == b"content-length"), b"0")
        received = int(announced) if announced.isdigit() else 0
        too_large = received > MOST
        received = 0

        async def limited() -> Any:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if too_large or received > MOST:
                raise HTTPException(413, f"the request's body has more than {MOST:,} bytes")
            return message

        await self._app(scope, limited, send)
