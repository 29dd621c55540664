"""The deployed API over HTTP, as its clients speak to it. Addresses are those of AWS; the connection goes to the
emulator, as if its DNS name led there."""

import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import urllib3

from .deployment import Deployment
from .emulator import REGION
from .waiting import eventually

BASE_PATH = "/api/v1"


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)

    def must(self, status: int) -> Any:
        """The body of the answer that was expected."""
        assert self.status == status, f"{self.status} instead of {status}: {self.body.decode(errors='replace')}"
        if self.body and "json" in self.headers.get("content-type", ""):
            return self.json()
        return self.body


class Api:
    def __init__(self, deployment: Deployment) -> None:
        self.deployment = deployment
        self.public_url = deployment.variable("PUBLIC_URL")
        self._http = urllib3.PoolManager(retries=False)

    def request(self, method: str, path: str, body: Any = None, token: str = "", **headers: str) -> Answer:
        """A request to a path of the API."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if token:
            sent["authorization"] = f"Bearer {token}"
        if body is not None:
            sent["content-type"] = "application/json"
        return self.fetch(method, self.public_url + path, json.dumps(body).encode() if body is not None else None, sent)

    def get(self, path: str, token: str = "", **headers: str) -> Answer:
        return self.request("GET", BASE_PATH + path, None, token, **headers)

    def post(self, path: str, body: Any = None, token: str = "") -> Answer:
        return self.request("POST", BASE_PATH + path, body, token)

    def fetch(self, method: str, url: str, body: bytes | None = None, headers: dict | None = None) -> Answer:
        """A request to any address that the service hands out."""
        address = urlsplit(url)
        path = address.path + (f"?{address.query}" if address.query else "")
        host = address.netloc
        if ".execute-api." in host:
            # By path, as the emulator keeps some paths of every host to itself, /health among them; and by AWS's host, as with
            # the emulator's own the path would be taken for one of the API.
            api = host.split(".")[0]
            path, host = f"/_aws/execute-api/{api}/$default{path}", f"{api}.execute-api.{REGION}.amazonaws.com"
        # Where TLS ends in front of the emulator, it is told so.
        sent = {"host": host, "x-forwarded-proto": address.scheme, **(headers or {})}
        response = self._http.request(method, self.deployment.emulator.url + path, body=body, headers=sent)
        return Answer(response.status, {name.lower(): value for name, value in response.headers.items()}, response.data)

    # The first steps of everybody.

    def register(self, email: str, password: str) -> Answer:
        return self.post("/auth/register", {"name": "Ada Lovelace", "email": email, "password": password})

    def confirmation_token(self, email: str) -> str:
        return self.mailed_token(email, "/auth/confirm")

    def mailed_token(self, email: str, path: str) -> str:
        """Out of the newest mail to an address that has such a link, once there is one."""

        def links() -> list[str]:
            words = [word for mail in self.deployment.mails(email) for word in mail["BodyText"].split()]
            return [word for word in words if f"{path}?token=" in word]

        link = eventually(f"a link to {path} for {email}", links)[-1]
        assert link.startswith(self.public_url), f"{link} leads elsewhere than {self.public_url}"
        return link.partition("token=")[2]

    def login(self, email: str, password: str) -> Answer:
        return self.post("/auth/login", {"email": email, "password": password})

    def administrator(self, password: str) -> dict:
        """Registers the administrator, who chooses a password through the mailed link, and signs in."""
        email = self.deployment.variable("ADMIN_EMAIL")
        self.register(email, "a-password-of-anybody").must(202)
        token = self.mailed_token(email, "/auth/password/reset")
        self.post("/auth/password/reset", {"token": token, "password": password}).must(200)
        return self.login(email, password).must(200)

    def signed_in(self, email: str, password: str) -> dict:
        """Registers, confirms and signs in: the pair of tokens, with the user."""
        self.register(email, password).must(202)
        self.post("/auth/confirm", {"token": self.confirmation_token(email)}).must(200)
        return self.login(email, password).must(200)

    def upload(self, content: bytes, content_type: str, access: str) -> None:
        request = {"content_type": content_type, "content_length": len(content)}
        upload = self.post("/user/picture", request, access).must(200)
        self.fetch(upload["method"], upload["upload_url"], content, upload["headers"]).must(200)

    def show_picture(self, content: bytes, content_type: str, access: str) -> dict:
        """Uploads a picture and waits until it is shown."""
        self.upload(content, content_type, access)
        return self.picture("ready", access)

    def picture(self, status: str, access: str) -> dict:
        """The caller's picture, once it has left `processing`."""

        def settled() -> dict | None:
            picture = self.get("/user", access).must(200)["picture"]
            return None if picture["status"] == "processing" else picture

        picture = eventually("the picture to be worked off", settled)
        assert picture["status"] == status, picture
        return picture
