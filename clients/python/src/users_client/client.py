"""The client."""

import time
from collections.abc import Mapping
from threading import Lock
from typing import Any, Self, TypeVar, cast

import httpx

from .problem import Problem
from .schemas import Login, PasskeyLogin, Picture, PresignedUpload, SecondFactorRequired, SignedIn, TokenPair, User, VerifyLogin
from .tokens import MemoryTokenStore, Tokens, TokenStore

# Seconds by which an access token is replaced before it expires.
EARLY = 30
# Seconds between two looks at a picture that is being processed, and how often to look.
PICTURE_INTERVAL, PICTURE_LOOKS = 0.5, 120


class UsersClient:
    """A client of the user management service, which keeps the tokens of one session. Threads may share it.

    Every method raises a `Problem` for an error response, and an exception of httpx if there is none.
    """

    def __init__(self, base_url: str, *, store: TokenStore | None = None, http: httpx.Client | None = None) -> None:
        """`base_url` is the base URL of the API, such as `https://accounts.example.com/api/v1`. The tokens are stored in memory
        by default. `http` sends the requests; it is closed together with this client.
        """
        self._base_url = base_url.rstrip("/")
        self._store = store if store is not None else MemoryTokenStore()
        self._http = http if http is not None else httpx.Client(timeout=30)
        # Held while the tokens are replaced, and while they are stored or cleared.
        self._lock = Lock()

    def close(self) -> None:
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def request(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str | int | bool] | None = None,
        json: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Any:
        """Sends a request, with the access token if there is one, and once more if the service says that it is not valid.

        Returns the body of the response, one of `schemas`; `None` without a body.
        """
        request = self._http.build_request(
            method, self._base_url + path, params=params, json=json, headers={"Accept": "application/json", **(headers or {})}
        )
        tokens = None if "Authorization" in request.headers else self._fresh()
        try:
            return self._send(request, tokens)
        except Problem as problem:
            if tokens is None or problem.code != "invalid_token":
                raise
            renewed = self._refresh(tokens)
            if renewed is None:
                raise
        return self._send(request, renewed)

    def get(self, path: str, **options: Any) -> Any:
        return self.request("GET", path, **options)

    def post(self, path: str, json: Mapping[str, Any] | None = None, **options: Any) -> Any:
        return self.request("POST", path, json=json, **options)

    def put(self, path: str, json: Mapping[str, Any] | None = None, **options: Any) -> Any:
        return self.request("PUT", path, json=json, **options)

    def patch(self, path: str, json: Mapping[str, Any] | None = None, **options: Any) -> Any:
        return self.request("PATCH", path, json=json, **options)

    def delete(self, path: str, **options: Any) -> Any:
        return self.request("DELETE", path, **options)

    @property
    def is_signed_in(self) -> bool:
        """Whether there are tokens. The session may have ended since the service was last asked."""
        return self._store.get() is not None

    def sign_in(self, email: str, password: str, *, device_token: str | None = None) -> SignedIn | SecondFactorRequired:
        """Signs in. The result has a `challenge_token` if the account has a second factor: pass it to `verify_sign_in`.

        The `device_token` of the result is the app's to keep, and to send with the next sign-in to the same account.
        """
        body: Login = {"email": email, "password": password}
        if device_token is not None:
            body["device_token"] = device_token
        return cast(SignedIn | SecondFactorRequired, self._sign_in("/auth/login", body))

    def verify_sign_in(self, body: VerifyLogin) -> SignedIn:
        """Completes a sign-in with the second factor."""
        return cast(SignedIn, self._sign_in("/auth/login/verify", body))

    def sign_in_with_passkey(self, body: PasskeyLogin) -> SignedIn:
        """Signs in with a passkey, for which `POST /auth/passkey/options` gives the options."""
        return cast(SignedIn, self._sign_in("/auth/passkey", body))

    def sign_out(self, *, everywhere: bool = False) -> None:
        """Ends the session, or all sessions of the account, and clears the tokens.

        The tokens are kept if the service cannot be reached or answers with an error, so that the app can try again; a session
        that has already ended is no error.
        """
        try:
            self.post("/auth/logout", {"everywhere": everywhere})
        except Problem as problem:
            if problem.status != 401:
                raise
        with self._lock:
            self._store.clear()

    def upload_picture(self, picture: bytes, content_type: str) -> Picture:
        """Uploads a picture of the user, and waits for up to a minute until it has been processed."""
        upload: PresignedUpload = self.post("/user/picture", {"content_type": content_type, "content_length": len(picture)})
        response = self._http.request(
            upload["method"], upload["upload_url"], content=picture, headers=cast(dict[str, str], upload["headers"])
        )
        if not response.is_success:
            raise Problem.of(response)
        for _ in range(PICTURE_LOOKS):
            user: User = self.get("/user")
            if user["picture"]["status"] != "processing":
                break
            time.sleep(PICTURE_INTERVAL)
        return user["picture"]

    def _sign_in(self, path: str, body: Mapping[str, Any]) -> Any:
        request = self._http.build_request("POST", self._base_url + path, json=body)
        result = self._send(request, None)
        if "access_token" in result:
            with self._lock:
                self._store.set(_tokens(result))
        return result

    def _send(self, request: httpx.Request, tokens: Tokens | None) -> Any:
        if tokens is not None:
            request.headers["Authorization"] = f"Bearer {tokens.access_token}"
        response = self._http.send(request)
        if not response.is_success:
            raise Problem.of(response)
        return response.json() if response.content else None

    def _fresh(self) -> Tokens | None:
        """The tokens, with an access token that has not expired; `None` if there are none or the session has ended."""
        tokens = self._store.get()
        if tokens is not None and tokens.expires_at - EARLY <= time.time():
            return self._refresh(tokens)
        return tokens

    def _refresh(self, used: Tokens) -> Tokens | None:
        """Replaces the tokens. Refresh tokens are for one use, so only one thread does it, and the others wait for it."""
        with self._lock:
            tokens = self._store.get()
            if tokens is None or tokens.access_token != used.access_token:
                # Another thread has replaced them since this request was sent, or the user has signed out or in.
                return tokens
            request = self._http.build_request(
                "POST", f"{self._base_url}/auth/refresh", json={"refresh_token": tokens.refresh_token}
            )
            try:
                renewed = _tokens(self._send(request, None))
            except Problem as problem:
                if problem.code != "invalid_refresh_token":
                    raise
                self._store.clear()
                return None
            self._store.set(renewed)
            return renewed


def _tokens(pair: TokenPair) -> Tokens:
    return Tokens(pair["access_token"], pair["refresh_token"], time.time() + pair["expires_in"])
