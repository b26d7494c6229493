"""How the API server is reached: the pod's service account, or a kubeconfig.

Credentials can change while the operator runs: a service account's token is renewed every hour, an exec plugin's
sooner. Therefore the header is asked for with every request, and never stored in a session.
"""

import ssl
from collections.abc import Sequence

import aiohttp
from kubernetes.aio import config as kubernetes_config
from kubernetes.aio.client import Configuration


class CredentialsError(Exception):
    """There are no usable credentials."""


class Connection:
    """The API server's address and the way to authenticate there."""

    def __init__(self, configuration: Configuration) -> None:
        self._configuration = configuration
        self.server: str = configuration.host.rstrip("/")

    @classmethod
    async def find(cls) -> "Connection":
        """Use the service account in a pod, else the kubeconfig that KUBECONFIG names, else the user's.

        Raises:
            CredentialsError: there is neither, or it can't be read.
        """
        configuration = Configuration()
        try:
            kubernetes_config.load_incluster_config(client_configuration=configuration)
        except kubernetes_config.ConfigException:
            try:
                await kubernetes_config.load_kube_config(client_configuration=configuration)
            except (kubernetes_config.ConfigException, OSError) as error:
                raise CredentialsError(f"neither a service account nor a usable kubeconfig: {error}") from error
        return cls(configuration)

    def session(self, trace_configs: Sequence[aiohttp.TraceConfig] = ()) -> aiohttp.ClientSession:
        """A new HTTP session with this connection's TLS and credentials."""
        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, ssl=self._tls()),
            middlewares=(self._authenticate,),
            proxy=self._configuration.proxy,
            trace_configs=list(trace_configs),
        )

    async def _authenticate(
        self, request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
    ) -> aiohttp.ClientResponse:
        header = await self._configuration.get_api_key_with_prefix("BearerToken")
        if header:
            request.headers["Authorization"] = header
        elif self._configuration.username and self._configuration.password:
            request.headers["Authorization"] = aiohttp.encode_basic_auth(
                self._configuration.username, self._configuration.password
            )
        return await handler(request)

    def _tls(self) -> ssl.SSLContext:
        configuration = self._configuration
        context = ssl.create_default_context(cafile=configuration.ssl_ca_cert, cadata=configuration.ca_cert_data)
        if configuration.cert_file:
            context.load_cert_chain(configuration.cert_file, keyfile=configuration.key_file)
        if not configuration.verify_ssl:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        return context
