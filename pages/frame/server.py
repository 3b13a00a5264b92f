"""What the web server does besides the pages: health, Plotly's script, compression, a warm start, notices of alarms."""

from __future__ import annotations

import asyncio
import importlib.util
import sys
import time
from contextlib import asynccontextmanager
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

import streamlit as st
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.responses import FileResponse, JSONResponse
from starlette.routing import Route

from release_core import notify

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from starlette.requests import Request
    from starlette.responses import Response

MAIN = Path(__file__).with_name("main.py")
MIDDLEWARE = [Middleware(GZipMiddleware, minimum_size=2000, compresslevel=5)]
PLOTLY_ROUTE = "/api/plotly.min.js"
# Seconds between two looks at the stop rules of all releases, where notices are sent.
WATCHED_EVERY = 60
# Seconds between two looks for a release whose as-of steps are not judged yet.
IDLE = 1.0


def routes() -> list[Route]:
    """Return our own routes, beneath the base path that the server is configured for."""
    base = str(st.get_option("server.baseUrlPath") or "").strip("/")
    prefix = f"/{base}" if base else ""
    return [Route(f"{prefix}/api/health", health), Route(f"{prefix}{PLOTLY_ROUTE}", plotly_script)]


async def health(_: Request) -> Response:
    """Answer that the server is up, and which version it serves charts with."""
    return JSONResponse({"status": "ok", "plotly": metadata.version("plotly")})


async def plotly_script(_: Request) -> Response:
    """Serve the script of the installed plotly package; its address carries the version, so it never goes stale."""
    headers = {"Cache-Control": "public, max-age=31536000, immutable"}
    return FileResponse(_bundle(), media_type="text/javascript", headers=headers)


def _bundle() -> Path:
    # Found without importing plotly: the server needs its file, not its 0.3 s of imports.
    spec = importlib.util.find_spec("plotly")
    if spec is None or spec.origin is None:
        raise RuntimeError("plotly is not installed; install requirements.txt")
    return Path(spec.origin).parent / "package_data" / "plotly.min.js"


@asynccontextmanager
async def warm(_: st.App) -> AsyncIterator[None]:
    """Import the heavy libraries while the first visitor's browser still loads the page."""
    task = asyncio.create_task(asyncio.to_thread(_import_heavy))
    others = [asyncio.create_task(_ahead()), *([asyncio.create_task(_watch())] if notify.targets() else [])]
    yield
    await task
    for other in others:
        other.cancel()


async def _ahead() -> None:
    """Judge every as-of step of the open releases before somebody asks, half of the time at most."""
    while True:
        began = time.monotonic()
        found = await asyncio.to_thread(_judge)
        await asyncio.sleep(time.monotonic() - began if found else IDLE)


def _judge() -> bool:
    # Before the first page has loaded the core there is nothing to judge.
    ahead = importlib.import_module("release_core.ahead") if "release_core.library" in sys.modules else None
    return bool(ahead and ahead.judge())


async def _watch() -> None:
    """Look at every release again and again, so that fired stop rules are told whether or not a page is open."""
    while True:
        await asyncio.sleep(WATCHED_EVERY)
        await asyncio.to_thread(_look)


def _look() -> None:
    watch = importlib.import_module("release_core.watch")
    watch.every(importlib.import_module("release_core.library").folders())


def _import_heavy() -> None:
    importlib.import_module("pandas")
    importlib.import_module("release_core.library")
    importlib.import_module("release_core.threads").limit()
