"""Asks pods for their score check: the operator's only HTTP requests to anything but the API server.

They go to a pod's own address, not through the Service, which knows no pod that isn't ready. Each is bounded in time
and size and a few run at once; what a process said in the end is never asked again.
"""

import asyncio
import json
from collections.abc import Mapping, Sequence
from typing import Any

import aiohttp

from reranker_operator.names import CONTAINER, PORT
from reranker_operator.scoring import Reading, parse_health

Pod = Mapping[str, Any]

TIMEOUT = aiohttp.ClientTimeout(total=5, sock_connect=2)
LARGEST_ANSWER = 2 * 1024 * 1024
AT_ONCE = 8
PENDING_SECONDS = 3.0
"""How soon a pod that has not made its check is asked again: nothing tells when it does, if it doesn't turn ready."""
FAULT_SECONDS = 15.0
"""How soon a pod that can't be asked is tried again."""


class PodHealth:
    """The client. Close it when done."""

    def __init__(self) -> None:
        # Proxies are for what is outside of the cluster.
        self._session = aiohttp.ClientSession(trust_env=False, timeout=TIMEOUT)
        self._slots = asyncio.Semaphore(AT_ONCE)
        self._final: dict[str, tuple[str, Reading]] = {}

    async def close(self) -> None:
        """Close the connections."""
        await self._session.close()

    async def read(self, pods: Sequence[Pod]) -> list[Reading]:
        """What each of the pods whose container runs says, in their order."""
        running = [pod for pod in pods if _address(pod) is not None and _process(pod) is not None]
        return list(await asyncio.gather(*(self._one(pod) for pod in running)))

    def forget_all_but(self, former: Sequence[str], pods: Sequence[Pod]) -> list[str]:
        """Forget those of the former pods' uids that are gone; the uids of the present ones."""
        present = [pod["metadata"]["uid"] for pod in pods]
        for uid in set(former) - set(present):
            self._final.pop(uid, None)
        return present

    async def _one(self, pod: Pod) -> Reading:
        uid, process = pod["metadata"]["uid"], _process(pod) or ""
        known = self._final.get(uid)
        if known is not None and known[0] == process:
            return known[1]
        async with self._slots:
            reading = await self._ask(pod["metadata"]["name"], _address(pod) or "")
        if reading.check is not None and reading.check.is_final:
            self._final[uid] = (process, reading)
        return reading

    async def _ask(self, name: str, address: str) -> Reading:
        host = f"[{address}]" if ":" in address else address
        try:
            async with self._session.get(f"http://{host}:{PORT}/health", allow_redirects=False) as response:
                body = json.loads(await _content(response))
        except TimeoutError:
            return Reading(name, fault=f"its /health can't be read at {host}:{PORT}: no answer in time")
        except (aiohttp.ClientError, OSError):
            return Reading(name, fault=f"its /health can't be read at {host}:{PORT}: no connection")
        except ValueError:
            return Reading(name, fault="its /health is no JSON; is it another image?")
        if not isinstance(body, dict):
            return Reading(name, fault="its /health is no JSON object; is it another image?")
        return parse_health(name, body)


def ask_again_after(readings: Sequence[Reading]) -> float | None:
    """In how many seconds the pods should be asked again; None where all is said."""
    if any(reading.check is not None and not reading.check.is_final for reading in readings):
        return PENDING_SECONDS
    return FAULT_SECONDS if any(reading.fault is not None for reading in readings) else None


async def _content(response: aiohttp.ClientResponse) -> bytes:
    """The whole answer, or as much as is too much of it: then it is no JSON."""
    content = b""
    async for chunk in response.content.iter_chunked(65536):
        content += chunk
        if len(content) > LARGEST_ANSWER:
            break
    return content


def _address(pod: Pod) -> str | None:
    address: str | None = pod.get("status", {}).get("podIP")
    return address


def _process(pod: Pod) -> str | None:
    """What tells this run of the container from others; None while it doesn't run, or has not opened its port yet."""
    for status in pod.get("status", {}).get("containerStatuses") or ():
        if status["name"] == CONTAINER and "running" in status.get("state", {}) and status.get("started", True):
            return f"{status.get('containerID', '')} {status.get('restartCount', 0)}"
    return None
