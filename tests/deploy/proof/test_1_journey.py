"""The way of a person through the service, over HTTP, against the deployed functions."""

from .api import Api
from .deployment import Deployment
from .picture import JPEG, dimensions
from .waiting import eventually

EMAIL = "ada@journey.example.com"
PASSWORD = "quiet-lantern-harbour"


def test_from_registering_to_signing_out(api: Api, deployment: Deployment) -> None:
    registered = api.register(EMAIL, PASSWORD).must(202)
    assert registered == {"status": "confirmation_required", "email": EMAIL}
    assert api.post("/auth/login", {"email": EMAIL, "password": PASSWORD}).must(403)["code"] == "email_not_confirmed"

    token = api.confirmation_token(EMAIL)
    assert api.get(f"/auth/confirm?token={token}").must(200) == {"status": "confirmed"}

    pair = api.sign_in(EMAIL, PASSWORD)
    access, user = pair["access_token"], pair["user"]
    assert api.get("/user", access).must(200) == user

    request = {"content_type": "image/jpeg", "content_length": len(JPEG)}
    upload = api.post("/user/picture", request, access).must(200)
    api.fetch(upload["method"], upload["upload_url"], JPEG, upload["headers"]).must(200)
    picture = eventually("the resized picture", lambda: ready(api.get("/user", access).must(200)["picture"]))
    for size, url in picture["urls"].items():
        assert dimensions(api.fetch("GET", url).must(200)) == (int(size), int(size))

    boss = deployment.variable("ADMIN_EMAIL")
    admin = api.signed_in(boss, PASSWORD)["access_token"]
    listed = api.get("/users?limit=10", admin).must(200)["users"]
    assert [user["email"] for user in listed] == [boss, EMAIL]
    assert api.get("/users", access).must(403)["code"] == "forbidden"

    next_pair = api.post("/auth/refresh", {"refresh_token": pair["refresh_token"]}).must(200)
    api.post("/auth/logout", None, next_pair["access_token"]).must(204)
    for dead in (access, next_pair["access_token"]):
        assert api.get("/user", dead).must(401)["code"] == "invalid_token"
    refreshed = api.post("/auth/refresh", {"refresh_token": next_pair["refresh_token"]})
    assert refreshed.must(401)["code"] == "invalid_refresh_token"


def ready(picture: dict) -> dict | None:
    assert picture["status"] in ("processing", "ready"), picture
    return picture if picture["status"] == "ready" else None
