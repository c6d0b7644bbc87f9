"""The request headers in which proxies say who the client is."""

from __future__ import annotations

from typing import Final

HEADERS: Final = (
    # Every proxy on the way adds whom it saw, so who is believed can be told from what a client sent.
    "X-Forwarded-For",
    # The same by RFC 7239; proxies that do not know it hand on what a client sent.
    "Forwarded",
    # One address, set by the proxy that is nearest.
    "X-Real-IP",
    # One address, set by a content network further away: Cloudflare, Akamai and Cloudflare, Fastly, Azure, Imperva,
    # Sucuri, Fly.
    "CF-Connecting-IP",
    "True-Client-IP",
    "Fastly-Client-IP",
    "X-Azure-ClientIP",
    "Incap-Client-IP",
    "X-Sucuri-ClientIP",
    "Fly-Client-IP",
    # Names that many use in their own way.
    "X-Cluster-Client-IP",
    "X-Client-IP",
)
"""Where a line has several, the first counts: it is the one that a client can least choose."""
