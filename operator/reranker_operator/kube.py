"""A small client of the Kubernetes API: read, server-side apply, delete, post an Event.

Objects are plain dicts, so that what is applied is exactly what was built. Errors are told apart by what the caller
can do about them: nothing but tell the user (`RefusedError`), or try again (`ApiError`).
"""

import json
import logging
from collections.abc import Callable, Mapping
from typing import Any

import aiohttp

from reranker_operator.connection import Connection
from reranker_operator.kinds import EVENT, Kind, kind_of
from reranker_operator.names import FIELD_MANAGER

Object = dict[str, Any]

REQUEST_TIMEOUT = aiohttp.ClientTimeout(total=20, sock_connect=10)
"""A request that takes longer is given up and tried again with the whole pass."""
PAGE_SIZE = 250

logger = logging.getLogger(__name__)


class ApiError(Exception):
    """A request failed; trying again may help."""

    def __init__(self, message: str, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status
        """The HTTP status; None when there was no answer."""


class RefusedError(ApiError):
    """The API server understood the request and won't have it (400, 403, 422): another object or policy is needed."""


class NotFoundError(ApiError):
    """The object, its namespace or its kind isn't there."""


class ConflictError(ApiError):
    """Somebody else has written the object meanwhile, or made one of this name."""


class LeaderlessError(ApiError):
    """Nothing may be written: another operator may be the leader by now."""


class NamespaceEndsError(ApiError):
    """Nothing can be created in the namespace any more: it is being deleted."""


_ERRORS = {400: RefusedError, 403: RefusedError, 404: NotFoundError, 409: ConflictError, 422: RefusedError}


class Kube:
    """The client. Close it when done.

    Args:
        connection: how the API server is reached.
        may_write: asked before each write of objects other than the Lease; without leadership there is none.
    """

    def __init__(self, connection: Connection, may_write: Callable[[], bool] = lambda: True) -> None:
        self._server = connection.server
        self._session = connection.session()
        self._may_write = may_write

    async def close(self) -> None:
        """Close the connections."""
        await self._session.close()

    async def get(self, kind: Kind, namespace: str, name: str) -> Object | None:
        """Read an object; None when it isn't there."""
        try:
            return await self._request("GET", kind.path(namespace, name))
        except NotFoundError:
            return None

    async def list(self, kind: Kind, namespace: str | None, selector: str = "", *, fields: str = "") -> list[Object]:
        """Read all objects of a namespace, or of all, that have these labels and fields."""
        query = {"labelSelector": selector, "fieldSelector": fields, "limit": str(PAGE_SIZE)}
        objects: list[Object] = []
        while True:
            page = await self._request("GET", kind.path(namespace), query)
            # Items of a list don't say what they are.
            objects += [{"apiVersion": kind.api_version, "kind": kind.kind, **item} for item in page["items"]]
            token = page["metadata"].get("continue")
            if not token:
                return objects
            query = {**query, "continue": token}

    async def exists(self, kind: Kind, selector: str) -> bool:
        """Whether there is an object with the labels, anywhere."""
        page = await self._request("GET", kind.path(None), {"labelSelector": selector, "limit": "1"})
        return bool(page["items"])

    async def create(self, kind: Kind, manifest: Object) -> Object:
        """Create an object that must not be there yet; the object as it is then.

        Raises:
            ConflictError: it is there.
        """
        path = kind.path(manifest["metadata"]["namespace"])
        return await self._request("POST", path, body=json.dumps(manifest), content_type="application/json")

    async def replace(self, kind: Kind, manifest: Object) -> Object:
        """Write an object that was read before; the object as it is then.

        Raises:
            ConflictError: somebody else has written it since.
        """
        path = kind.path(manifest["metadata"]["namespace"], manifest["metadata"]["name"])
        return await self._request("PUT", path, body=json.dumps(manifest), content_type="application/json")

    async def apply(self, manifest: Object, *, dry_run: bool = False) -> Object:
        """Create the object or take over its fields by server-side apply; the object as it is then.

        A dry run only asks whether the API server would have it.
        """
        return await self._apply(manifest, dry_run=dry_run)

    async def apply_status(self, manifest: Object) -> Object:
        """The same for the object's status only; it must be there."""
        return await self._apply(manifest, subresource="status")

    async def delete(self, existing: Object) -> None:
        """Delete this very object and what it owns; one of the same name that came later stays."""
        self._check_leadership()
        metadata = existing["metadata"]
        options = {"propagationPolicy": "Background", "preconditions": {"uid": metadata["uid"]}}
        path = kind_of(existing).path(metadata["namespace"], metadata["name"])
        try:
            await self._request("DELETE", path, body=json.dumps(options), content_type="application/json")
        except NotFoundError:
            return

    async def post_event(self, event: Object) -> None:
        """Record an Event."""
        self._check_leadership()
        path = EVENT.path(event["metadata"]["namespace"])
        await self._request("POST", path, body=json.dumps(event), content_type="application/json")

    async def is_served(self, kind: Kind) -> bool:
        """Whether the API server knows the kind: its CRD is installed."""
        try:
            resources = await self._request("GET", kind.root)
        except NotFoundError:
            return False
        return any(resource["name"] == kind.plural for resource in resources["resources"])

    async def _apply(self, manifest: Object, *, subresource: str | None = None, dry_run: bool = False) -> Object:
        self._check_leadership()
        metadata = manifest["metadata"]
        path = kind_of(manifest).path(metadata["namespace"], metadata["name"], subresource)
        query = {"fieldManager": FIELD_MANAGER, "force": "true", "fieldValidation": "Strict"}
        query |= {"dryRun": "All"} if dry_run else {}
        body = json.dumps(manifest)  # JSON is YAML
        return await self._request("PATCH", path, query, body, "application/apply-patch+yaml")

    def _check_leadership(self) -> None:
        """Right before a write: a process that was stopped for a while must not go on where it was."""
        if not self._may_write():
            raise LeaderlessError("the Lease has run out")

    async def _request(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None = None,
        body: str | None = None,
        content_type: str | None = None,
    ) -> Object:
        headers = {"Accept": "application/json"} | ({"Content-Type": content_type} if content_type else {})
        try:
            async with self._session.request(
                method,
                self._server + path,
                params=query,
                data=body,
                headers=headers,
                timeout=REQUEST_TIMEOUT,
                allow_redirects=False,
            ) as response:
                text = await response.text()
                status = response.status
                warnings = response.headers.getall("Warning", [])
        except (TimeoutError, aiohttp.ClientError) as error:
            raise ApiError(f"{method} {path}: {error or 'timed out'}") from error
        for warning in warnings:
            logger.warning("%s %s: %s", method, path, warning)
        if status >= 400:
            raise _error(f"{method} {path}", status, text)
        try:
            content: Object = json.loads(text)
        except ValueError as error:
            raise ApiError(f"{method} {path}: the answer is no JSON: {text[:200]!r}") from error
        return content


def _error(request: str, status: int, text: str) -> ApiError:
    """The error that an answer tells of: by a Status object, or by plain text from something before the API server."""
    try:
        content = json.loads(text)
        message = content["message"]
        causes = (content.get("details") or {}).get("causes") or ()
    except (ValueError, KeyError, TypeError):
        message, causes = text.strip()[:200], ()
    if any(cause.get("reason") == "NamespaceTerminating" for cause in causes):
        return NamespaceEndsError(message, status)
    return _ERRORS.get(status, ApiError)(message or f"{request}: HTTP {status}", status)
