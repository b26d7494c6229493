"""Asks pods for their score check: the operator's only HTTP requests to anything but the API server.

They go to a pod's own address, not through the Service, which knows no pod that isn't ready. Each is bounded in time
and size and a few run at once. What a process said in the end is never asked again, and what it said a moment ago is
taken as it was: a status that tells how far a download is must not be what makes the next pass ask for it.
"""

import asyncio
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import aiohttp

from reranker_operator.names import CONTAINER, PORT
from reranker_operator.pod_failures import is_ready
from reranker_operator.scoring import Reading, parse_health

Pod = Mapping[str, Any]

TIMEOUT = aiohttp.ClientTimeout(total=5, sock_connect=2)
LARGEST_ANSWER = 2 * 1024 * 1024
AT_ONCE = 8
PENDING_SECONDS = 3.0
"""How soon a pod that has not made its check is asked again: nothing tells when it does, if it doesn't turn ready. Not
sooner, either, unless something about the pod changed."""
FAULT_SECONDS = 15.0
"""How soon a pod that can't be asked is tried again."""


@dataclass(frozen=True)
class _Said:
    """What a pod said, and when."""

    process: str
    ready: bool
    at: float
    reading: Reading

    def holds(self, pod: Pod, now: float) -> bool:
        """Whether it need not be asked again."""
        if self.process != _process(pod):
            return False
        return self.reading.is_final or (self.ready == is_ready(pod) and now - self.at < PENDING_SECONDS)


class PodHealth:
    """The client. Close it when done."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        # Proxies are for what is outside of the cluster.
        self._session = aiohttp.ClientSession(trust_env=False, timeout=TIMEOUT)
        self._slots = asyncio.Semaphore(AT_ONCE)
        self._said: dict[str, _Said] = {}

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
            self._said.pop(uid, None)
        return present

    async def _one(self, pod: Pod) -> Reading:
        uid = pod["metadata"]["uid"]
        known = self._said.get(uid)
        if known is not None and known.holds(pod, self._clock()):
            return known.reading
        async with self._slots:
            reading = await self._ask(pod["metadata"]["name"], _address(pod) or "")
        self._said[uid] = _Said(_process(pod) or "", is_ready(pod), self._clock(), reading)
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
