"""What the OpenAPI document says of bodies that are no JSON, and how long a browser keeps them."""

from __future__ import annotations

from typing import Any

Responses = dict[int | str, dict[str, Any]]
RAW: dict[str, Any] = {
    "requestBody": {
        "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
        "required": True,
    }
}
"""The bytes of a file as the body of a request."""
LASTING = {"cache-control": "private, max-age=86400, immutable"}
"""Headers of what never changes under its address."""
HOUR = {"cache-control": "private, max-age=3600"}
"""Of what seldom changes."""
FRESH = {"cache-control": "no-store"}
ASKED = {"cache-control": "no-cache"}
"""Of what a browser keeps, and asks for again each time."""


def of(description: str, *types: str) -> Responses:
    """Return what is said of an answer in one of several media types."""
    return {200: {"content": {each: {} for each in types}, "description": description}}


PICTURE = of("A picture", "image/png")
CARD = of("A picture", "image/png", "image/webp")
OCTETS = of("The file", "application/octet-stream")
ZIP = of("The folder of the model", "application/zip")
SAMPLE = of("A picture or a text", "image/png", "text/plain")
EVENTS = of("Events", "text/event-stream")
