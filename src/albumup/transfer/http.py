"""Small requests that carry no photo, by way of requests, with the same certificates and the same
limits."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from albumup import __version__
from albumup.transfer.connect import shared_tls_context, unresolved, words_of
from albumup.transfer.proxies import proxy_for
from albumup.transfer.values import BLOCK, CONNECT_SECONDS, MOST_ANSWER, Answer, Fault, Peer, Sent


class Http:
    """Sends requests that carry no photo: checks, albums, questions. For one thread at a time."""

    def __init__(self, peer: Peer, headers: Sequence[tuple[str, str]]) -> None:
        import requests
        from requests.adapters import HTTPAdapter

        class Plain(HTTPAdapter):
            def proxy_headers(self, proxy: str) -> dict[str, str]:  # noqa: ARG002 - always the proxy of this call
                return proxy_headers

        class Adapter(Plain):
            def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
                super().init_poolmanager(
                    *args, ssl_context=shared_tls_context(peer.ca_file), **kwargs
                )

            def proxy_manager_for(self, *args: Any, **kwargs: Any) -> Any:
                return super().proxy_manager_for(
                    *args, ssl_context=shared_tls_context(peer.ca_file), **kwargs
                )

            def cert_verify(self, *args: Any, **kwargs: Any) -> None:
                """Do nothing: the context verifies, and requests must not add its own
                certificates."""

        class Authorization(requests.auth.AuthBase):
            """Sets our headers, which keeps netrc's out."""

            def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
                request.headers.update(headers)
                return request

        class Session(requests.Session):
            is_secured = False

            def get_adapter(self, url: str) -> requests.adapters.BaseAdapter:
                """Load the certificates to trust only for TLS: that takes longer than a
                question."""
                if url.lower().startswith("https:") and not self.is_secured:
                    self.is_secured = True
                    self.mount("https://", Adapter(max_retries=0))
                return super().get_adapter(url)

            def get_redirect_target(self, resp: requests.Response) -> str | None:  # noqa: ARG002 - none is followed
                """Ignore Location: requests would take one that it cannot decode for a broken
                answer."""
                return None

        proxy_headers: dict[str, str] = {}
        self._peer = peer
        self._proxy_headers = proxy_headers
        self._session = Session()
        self._session.mount("http://", Plain(max_retries=0))
        self._session.auth = Authorization()
        self._session.trust_env = (
            False  # proxies are looked up here: errors of requests would show the password
        )
        self._session.headers.update(
            {"User-Agent": f"albumup/{__version__}", "Accept-Encoding": "identity"}
        )

    def call(
        self,
        method: str,
        url: str,
        *,
        json: Any = None,
        most: int = MOST_ANSWER,
        more_seconds: float = 0.0,
        headers: Mapping[str, str] | None = None,
        take: Callable[[bytes], object] | None = None,
        shows_token: bool = True,
        connects_within: float = CONNECT_SECONDS,
    ) -> Sent:
        """Send one request with a small body. Answers and faults are those of a photo.

        ``most``: bytes of the answer to read. ``more_seconds``: added to the timeout, for a server
        with much to do. ``take`` is called with the body of a 200, of any length, in blocks of 1
        MiB; the answer then lacks it. ``shows_token`` False: nothing of ours is shown.
        ``connects_within``: seconds. Raises ConfigError for an unreadable proxy setting.
        """
        import requests

        proxy = None if self._peer.direct else proxy_for(url)
        proxies = {}
        if proxy is not None:
            proxies[urlsplit(url).scheme] = proxy.url
            self._proxy_headers.update(proxy.headers)
        try:
            response = self._session.request(
                method,
                url,
                json=json,
                proxies=proxies,
                headers=headers,
                auth=None if shows_token else _as_is,
                timeout=(connects_within, self._peer.timeout + more_seconds),
                allow_redirects=False,
                stream=True,
            )
            with response:
                self._session.cookies.clear()
                while take is not None and response.status_code == 200:
                    if not (block := response.raw.read(BLOCK, decode_content=True)):
                        break
                    take(block)
                body = response.raw.read(most + 1, decode_content=False)
                is_cut = bool(response.raw.length_remaining)
        except requests.exceptions.SSLError as error:
            return Sent(None, Fault.BAD_CERTIFICATE, _innermost(error), whole=False, bytes=0)
        except requests.exceptions.ConnectionError as error:
            by_way = f"by way of the proxy {proxy.host}:{proxy.port}: " if proxy else ""
            if "NameResolutionError" in repr(error):
                inner = getattr(error.args[0], "reason", error)
                stopped = unresolved(proxy.host if proxy else urlsplit(url).hostname or "", inner)
                return Sent(None, stopped.fault, by_way + stopped.detail, whole=False, bytes=0)
            return Sent(None, Fault.NOT_REACHED, by_way + _innermost(error), whole=False, bytes=0)
        except (requests.exceptions.RequestException, OSError) as error:
            return Sent(None, Fault.LOST, _innermost(error), whole=True, bytes=0)
        except Exception as error:  # noqa: BLE001 - urllib3 lets a broken answer's errors through raw.read
            return Sent(None, Fault.LOST, words_of(error), whole=True, bytes=0)
        answer = Answer.of(
            response.status_code,
            response.reason or "",
            {name.lower(): value for name, value in response.headers.items()},
            body,
            complete=not is_cut,
            most=most,
        )
        return Sent(answer, None, "", whole=True, bytes=0)


def _as_is(request: Any) -> Any:
    """An authorization that shows nothing, not even what netrc has."""
    return request


def _innermost(error: BaseException) -> str:
    seen: BaseException = error
    while True:
        inner = seen.__cause__ or seen.__context__ or getattr(seen, "reason", None)
        if not isinstance(inner, BaseException):
            return words_of(seen)
        seen = inner
