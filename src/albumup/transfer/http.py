"""Requests that are not photos: plain requests, with the same trust and the same restraint."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from albumup import __version__
from albumup.transfer.connect import tls_context, unresolved, words_of
from albumup.transfer.proxies import proxy_for
from albumup.transfer.values import BLOCK, CONNECT_SECONDS, MOST_ANSWER, Answer, Fault, Peer, Sent


class Http:
    """Requests that are not photos: checks, albums, questions. Not for several threads at once."""

    def __init__(self, peer: Peer, headers: Sequence[tuple[str, str]]) -> None:
        import requests
        from requests.adapters import HTTPAdapter

        class Plain(HTTPAdapter):
            def proxy_headers(self, proxy: str) -> dict[str, str]:  # noqa: ARG002 - it is the one of this call
                return proxy_headers

        class Adapter(Plain):
            def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
                super().init_poolmanager(*args, ssl_context=tls_context(peer.ca_file), **kwargs)

            def proxy_manager_for(self, *args: Any, **kwargs: Any) -> Any:
                return super().proxy_manager_for(*args, ssl_context=tls_context(peer.ca_file), **kwargs)

            def cert_verify(self, *args: Any, **kwargs: Any) -> None:
                """The context verifies; requests must not put its own store in."""

        class Authorization(requests.auth.AuthBase):
            """Puts our headers in, and so keeps netrc's out."""

            def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
                request.headers.update(headers)
                return request

        class Session(requests.Session):
            def get_redirect_target(self, resp: requests.Response) -> str | None:  # noqa: ARG002 - none is followed
                """Not even looked at: one that is no text would be taken for a broken answer."""
                return None

        proxy_headers: dict[str, str] = {}
        self._peer = peer
        self._proxy_headers = proxy_headers
        self._session = Session()
        self._session.mount("https://", Adapter(max_retries=0))
        self._session.mount("http://", Plain(max_retries=0))
        self._session.auth = Authorization()
        self._session.trust_env = False  # the proxy is looked up here, and errors there would show its password
        self._session.headers.update({"User-Agent": f"albumup/{__version__}", "Accept-Encoding": "identity"})

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
    ) -> Sent:
        """One request with a small body; answers and faults as for a photo. ``most``: bytes of the answer to read;
        ``more_seconds``: of silence that are given to a server with much to do.

        ``take`` is handed the body of a 200, which the answer then lacks, in blocks of 1 MiB, however much it is.
        Raises ConfigError for a proxy that cannot be read.
        """
        import requests

        proxy = None if self._peer.direct else proxy_for(url)
        self._proxy_headers.update(proxy.headers if proxy else {})
        try:
            response = self._session.request(
                method,
                url,
                json=json,
                proxies={urlsplit(url).scheme: proxy.url} if proxy else {},
                headers=headers,
                timeout=(CONNECT_SECONDS, self._peer.timeout + more_seconds),
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


def _innermost(error: BaseException) -> str:
    seen: BaseException = error
    while True:
        inner = seen.__cause__ or seen.__context__ or getattr(seen, "reason", None)
        if not isinstance(inner, BaseException):
            return words_of(seen)
        seen = inner
