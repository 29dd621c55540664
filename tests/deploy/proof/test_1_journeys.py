"""The ways of people through the service, over HTTP, against the deployed functions."""

from . import totp
from .api import Api
from .deployment import Deployment
from .passkey import Passkey
from .picture import JPEG, dimensions
from .waiting import eventually

PASSWORD = "quiet-lantern-harbour"


def test_from_registering_to_signing_out(api: Api, deployment: Deployment) -> None:
    email = "ada@journeys.example.com"
    registered = api.register(email, PASSWORD).must(202)
    assert registered == {"status": "confirmation_required", "email": email}
    assert api.login(email, PASSWORD).must(403)["code"] == "email_not_confirmed"

    token = api.confirmation_token(email)
    opened = api.get(f"/auth/confirm?token={token}")
    assert opened.headers["content-type"].startswith("text/html"), "what does not prefer JSON gets a page"
    confirmed = api.fetch("GET", f"{api.public_url}/api/v1/auth/confirm?token={token}", None, {"accept": "application/json"})
    assert confirmed.must(200) == {"status": "confirmed"}
    pair = api.login(email, PASSWORD).must(200)
    access, user = pair["access_token"], pair["user"]
    assert api.get("/user", access).must(200) == user

    picture = api.show_picture(JPEG, "image/jpeg", access)
    for size, url in picture["urls"].items():
        assert dimensions(api.fetch("GET", url).must(200)) == (int(size), int(size))

    boss = deployment.variable("ADMIN_EMAIL")
    admin = api.administrator(PASSWORD)["access_token"]
    listed = api.get("/users?limit=10", admin).must(200)["users"]
    assert [listed_user["email"] for listed_user in listed] == [boss, email]
    assert api.get("/users", access).must(403)["code"] == "forbidden"

    pair = api.post("/auth/refresh", {"refresh_token": pair["refresh_token"]}).must(200)
    api.post("/auth/logout", None, pair["access_token"]).must(204)
    for dead in (access, pair["access_token"]):
        assert api.get("/user", dead).must(401)["code"] == "invalid_token"
    refused = api.post("/auth/refresh", {"refresh_token": pair["refresh_token"]})
    assert refused.must(401)["code"] == "invalid_refresh_token"


def test_a_second_email_is_requested_and_the_first_link_still_works(api: Api, deployment: Deployment) -> None:
    email = "grace@journeys.example.com"
    api.register(email, PASSWORD).must(202)
    first = api.confirmation_token(email)
    api.post("/auth/send", {"email": email}).must(202)
    eventually("the second mail", lambda: len(deployment.mails(email)) == 2)
    assert api.confirmation_token(email) != first
    assert api.post("/auth/confirm", {"token": first}).must(200) == {"status": "confirmed"}
    assert api.post("/auth/confirm", {"token": first}).must(200) == {"status": "already_confirmed"}


def test_registering_a_taken_address_gets_the_same_answer_and_notifies_its_owner(
    api: Api, deployment: Deployment
) -> None:
    email = "mary@journeys.example.com"
    free = api.register(email, PASSWORD).must(202)
    api.post("/auth/confirm", {"token": api.confirmation_token(email)}).must(200)
    assert api.register(email, "another-password-of-a-stranger").must(202) == free
    eventually("a mail to the owner", lambda: len(deployment.mails(email)) == 2)
    assert api.login(email, "another-password-of-a-stranger").must(401)["code"] == "invalid_credentials"


def test_an_immediately_reused_refresh_token_gets_the_current_pair(api: Api) -> None:
    first = api.signed_in("emmy@journeys.example.com", PASSWORD)["refresh_token"]
    second = api.fetch("GET", f"{api.public_url}/api/v1/auth/refresh", None, {"authorization": f"Bearer {first}"})
    third = api.post("/auth/refresh", {"refresh_token": second.must(200)["refresh_token"]}).must(200)
    # Later than ten seconds after its own rotation it would be a theft: no clock can be moved here.
    again = api.post("/auth/refresh", {"refresh_token": first}).must(200)
    assert again["refresh_token"] == third["refresh_token"]


def test_signing_out_everywhere_ends_every_session(api: Api) -> None:
    email = "rosa@journeys.example.com"
    here, there = api.signed_in(email, PASSWORD), api.login(email, PASSWORD).must(200)
    api.post("/auth/logout", {"everywhere": True}, here["access_token"]).must(204)
    for pair in (here, there):
        assert api.get("/user", pair["access_token"]).must(401)["code"] == "invalid_token"


def test_a_password_is_changed_and_a_forgotten_one_chosen_anew(api: Api) -> None:
    email, second, third = "ida@journeys.example.com", "amber-window-voyage", "copper-meadow-signal"
    access = api.signed_in(email, PASSWORD)["access_token"]
    change = {"current_password": PASSWORD, "new_password": second}
    api.request("PUT", "/api/v1/user/password", change, access).must(204)
    assert api.login(email, PASSWORD).must(401)["code"] == "invalid_credentials"
    api.get("/user", access).must(200)

    api.post("/auth/password/forgot", {"email": email}).must(202)
    reset = {"token": api.mailed_token(email, "/auth/password/reset"), "password": third}
    api.post("/auth/password/reset", reset).must(200)
    assert api.post("/auth/password/reset", reset).must(410)["code"] == "link_used"
    assert api.get("/user", access).must(401)["code"] == "invalid_token"
    api.login(email, third).must(200)


def test_an_address_is_changed_and_the_change_undone(api: Api) -> None:
    old, new = "vera@journeys.example.com", "rubin@journeys.example.com"
    access = api.signed_in(old, PASSWORD)["access_token"]
    assert api.request("PUT", "/api/v1/user", {"email": new}, access).must(200)["email"] == old
    api.post("/auth/email/confirm", {"token": api.mailed_token(new, "/auth/email/confirm")}).must(200)
    assert api.login(new, PASSWORD).must(200)["user"]["email"] == new
    api.post("/auth/email/undo", {"token": api.mailed_token(old, "/auth/email/undo")}).must(200)
    assert api.login(new, PASSWORD).must(401)["code"] == "invalid_credentials"
    assert api.login(old, PASSWORD).must(401)["code"] == "invalid_credentials", "the password is in doubt"
    chosen = {"token": api.mailed_token(old, "/auth/password/reset"), "password": PASSWORD}
    assert api.post("/auth/password/reset", chosen).must(200)["device_token"]
    api.login(old, PASSWORD).must(200)


def test_one_session_ends_another(api: Api) -> None:
    email = "hedy@journeys.example.com"
    here, there = api.signed_in(email, PASSWORD), api.login(email, PASSWORD).must(200)
    sessions = api.get("/auth/sessions", here["access_token"]).must(200)["sessions"]
    assert [session["current"] for session in sessions] == [False, True]
    api.request("DELETE", f"/api/v1/auth/sessions/{sessions[0]['id']}", None, here["access_token"]).must(204)
    assert api.get("/user", there["access_token"]).must(401)["code"] == "invalid_token"
    api.get("/user", here["access_token"]).must(200)


def test_a_second_factor_is_asked_for_and_taken_away(api: Api) -> None:
    email = "joan@journeys.example.com"
    access = api.signed_in(email, PASSWORD)["access_token"]
    secret = api.post("/user/totp", None, access).must(200)["secret"]
    codes = api.post("/user/totp/confirm", {"code": totp.code(secret)}, access).must(200)["recovery_codes"]

    challenge = api.login(email, PASSWORD).must(202)["challenge_token"]
    second = {"challenge_token": challenge, "recovery_code": codes[0]}
    access = api.post("/auth/login/verify", second).must(200)["access_token"]
    assert api.post("/auth/login/verify", second).must(401)["code"] == "invalid_challenge"

    api.get("/user/factors", access).must(200)
    codes = api.post("/user/recovery-codes", {"recovery_code": codes[1]}, access).must(200)["recovery_codes"]
    api.request("DELETE", "/api/v1/user/totp", {"recovery_code": codes[0]}, access).must(204)
    api.login(email, PASSWORD).must(200)


def test_a_passkey_signs_in_alone_and_proves_the_second_factor(api: Api) -> None:
    email = "grete@journeys.example.com"
    access = api.signed_in(email, PASSWORD)["access_token"]
    passkey, other = Passkey(api.public_url), Passkey(api.public_url)

    def asked() -> dict:
        options = api.post("/auth/passkey/options").must(200)
        return {"challenge_token": options["challenge_token"], "credential": passkey.get(options["options"])}

    def add(new: Passkey, proof: dict | None) -> dict:
        started = api.post("/user/passkeys/options", proof, access).must(200)
        made = {"challenge_token": started["challenge_token"], "name": "Phone", "credential": new.create(started["options"])}
        return api.post("/user/passkeys", made, access).must(201)

    first = add(passkey, None)
    assert len(first["recovery_codes"]) == 10
    answer = asked()
    access = api.post("/auth/passkey", answer).must(200)["access_token"]
    assert api.post("/auth/passkey", answer).must(401)["code"] == "invalid_challenge"

    challenged = api.login(email, PASSWORD).must(202)
    credential = passkey.get(challenged["passkey_options"])
    proof = {"challenge_token": challenged["challenge_token"], "passkey": credential}
    access = api.post("/auth/login/verify", proof).must(200)["access_token"]

    second = f"/api/v1/user/passkeys/{add(other, {'passkey': asked()})['id']}"
    assert api.request("PUT", second, {"name": "Old phone"}, access).must(200)["name"] == "Old phone"
    secret = api.post("/user/totp", {"passkey": asked()}, access).must(200)["secret"]
    api.post("/user/totp/confirm", {"code": totp.code(secret)}, access).must(200)
    api.request("DELETE", "/api/v1/user/totp", {"passkey": asked()}, access).must(204)
    codes = api.post("/user/recovery-codes", {"passkey": asked()}, access).must(200)["recovery_codes"]
    add(Passkey(api.public_url), {"recovery_code": codes[0]})
    api.request("DELETE", second, {"recovery_code": codes[1]}, access).must(204)
    api.request("DELETE", f"/api/v1/user/passkeys/{first['id']}", {"passkey": asked()}, access).must(204)
    assert len(api.get("/user/factors", access).must(200)["passkeys"]) == 1


def test_an_account_that_is_deleted_leaves_nothing_behind(api: Api, deployment: Deployment) -> None:
    email = "lise@journeys.example.com"
    pair = api.signed_in(email, PASSWORD)
    access, user = pair["access_token"], pair["user"]["id"]
    renamed = api.request("PUT", "/api/v1/user", {"name": "Lise Meitner"}, access).must(200)
    assert renamed["name"] == "Lise Meitner"

    pictures = deployment.variable("PICTURES_BUCKET")
    for remove in ("/api/v1/user/picture", "/api/v1/user"):
        api.show_picture(JPEG, "image/jpeg", access)
        assert [key for key in deployment.keys(pictures) if user in key]
        api.request("DELETE", remove, None, access).must(204)
        eventually("the pictures to be gone", lambda: not [key for key in deployment.keys(pictures) if user in key])

    assert api.login(email, PASSWORD).must(401)["code"] == "invalid_credentials"
    eventually("the farewell", lambda: len(deployment.mails(email)) == 2)
    # The note to erase once more stays until the sweeper has done so, which is after a minute.
    # The count of failed sign-ins that strangers share goes by itself.
    eventually(
        "the last item to be gone",
        lambda: all('"sk": {"S": "ATTEMPTS"}' in item for item in deployment.items_with(user, email)),
        patience=180,
    )
