//! Accounts that move in: with what they come, and that their owners sign in as before.

use std::time::Duration;

use aws_sdk_dynamodb::types::AttributeValue;
use data_encoding::BASE32_NOPAD;
use foreign_hashes::vectors::Vector;
use formats::{Options, Row, Source};
use futures_util::future::join_all;
use serde_json::{Value, json};
use shared::domain::id::UserId;
use shared::domain::imported::PasswordKind;
use shared::domain::totp::{TotpAlgorithm, TotpForm, TotpSecret};
use shared::domain::user::User;
use tests::{Answer, TestApp, text};
use transfer::import::{Line, Outcome, Seen, dry_run, import as import_rows};
use transfer::parts::Part;

use crate::passkey;

const ADA: &str = "ada@example.com";

/// Imports one record after another; the id of each.
pub async fn import(app: &TestApp, record: &Value) -> Vec<String> {
    let lines = import_all(app, std::slice::from_ref(record)).await;
    let id = |line: &Line| match &line.outcome {
        Outcome::Imported { id } => id.to_string(),
        other => panic!("{other:?}"),
    };
    lines.iter().map(id).collect()
}

pub fn rows(records: &[Value]) -> Vec<Row> {
    let text = records.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
    formats::rows(Source::JsonLines, text.as_bytes(), &Options::default()).collect()
}

async fn import_all(app: &TestApp, records: &[Value]) -> Vec<Line> {
    import_rows(app.app(), rows(records)).await.unwrap()
}

/// As the command line does it on AWS: by the bucket and the queue. Returns once the report is there.
pub async fn import_by_queue(app: &TestApp, email: &str) {
    let part = Part { import: "test".into(), number: 0, rows: vec![7] };
    put_part(app, &part, &json!({ "email": email }).to_string()).await;
    send(app, &part).await;
    tests::eventually("the report", async || report(app, &part).await).await;
}

async fn put_part(app: &TestApp, part: &Part, lines: &str) {
    let put = app.app().s3().put_object().bucket("transfer").key(part.key()).body(lines.as_bytes().to_vec().into());
    put.send().await.unwrap();
}

async fn send(app: &TestApp, part: &Part) {
    let queue = local::Queue::Imports.url(app.app().config.aws.endpoints.sqs.as_deref().unwrap());
    let send = app.app().sqs().send_message().queue_url(queue).message_body(serde_json::to_string(part).unwrap());
    send.send().await.unwrap();
}

async fn object(app: &TestApp, key: String) -> Option<String> {
    let found = app.app().s3().get_object().bucket("transfer").key(key).send().await.ok()?;
    Some(String::from_utf8(found.body.collect().await.unwrap().to_vec()).unwrap())
}

async fn report(app: &TestApp, part: &Part) -> Option<String> {
    object(app, part.report_key()).await
}

async fn user(app: &TestApp, id: &str) -> User {
    app.app().store().user(id.parse().unwrap()).await.unwrap().unwrap()
}

/// A hash of a producer and a scheme, with the password that it is of.
pub fn vector(producer: &str, scheme: &str, is: impl Fn(&Vector) -> bool) -> Vector {
    let vectors = include_str!("../../foreign-hashes/vectors/vectors.jsonl");
    let mut vectors = vectors.lines().map(|line| serde_json::from_str::<Vector>(line).unwrap());
    let wanted = |vector: &Vector| vector.producer == producer && vector.scheme == scheme && is(vector);
    vectors.find(wanted).unwrap_or_else(|| panic!("no hash of {producer}, {scheme}"))
}

fn right(vector: &Vector) -> bool {
    vector.verifies && vector.password.is_ascii() && !vector.password.is_empty()
}

/// A confirmed account with that hash.
pub fn account(email: &str, vector: &Vector) -> Value {
    let system = vector.system().unwrap().to_string();
    let password = json!({ "system": system, "stored": vector.stored, "fields": vector.extra });
    json!({ "email": email, "email_confirmed": true, "password": password })
}

/// A hash that is cheap to check, and not weak.
pub fn django() -> Vector {
    vector("passlib", "django_pbkdf2_sha256", right)
}

#[tokio::test]
async fn an_imported_password_signs_in_and_is_replaced_by_our_own_hash() {
    let app = TestApp::start().await;
    for (producer, scheme) in [
        ("passlib", "django_pbkdf2_sha256"),
        ("bcrypt (npm)", "bcrypt"),
        ("better-auth", "scrypt (sign-up flow)"),
        ("flask-security-too", "default (argon2, double hash)"),
        ("keycloak (recomputed)", "keycloak credential, argon2 (default)"),
        ("firebase-scrypt (npm)", "firebase scrypt"),
    ] {
        let vector = vector(producer, scheme, right);
        let email = format!("{}@example.com", scheme.len() + producer.len() * 100);
        let id = import(&app, &account(&email, &vector)).await.remove(0);
        assert!(user(&app, &id).await.password_hash.is_imported(), "{scheme}");
        assert_eq!(app.login(&email, "another password").await.code(), "invalid_credentials", "{scheme}");
        assert_eq!(app.login(&email, &vector.password).await.status, 200, "{scheme}");
        assert!(!user(&app, &id).await.password_hash.is_imported(), "{scheme}");
        assert_eq!(app.login(&email, &vector.password).await.status, 200, "{scheme}, again");
    }
}

#[tokio::test]
async fn a_weak_hash_is_never_stored_as_it_came() {
    let app = TestApp::start().await;
    for (producer, scheme) in [
        ("wordpress", "md5 (very old rows)"),
        ("redmine (recomputed)", "redmine sha1(salt + sha1(password))"),
        ("dovecot (doveadm pw)", "SSHA"),
        ("libxcrypt crypt()", "bcrypt $2b$ cost 5"),
    ] {
        let vector = vector(producer, scheme, right);
        let email = format!("{}@example.com", scheme.len() + producer.len() * 100);
        let id = import(&app, &account(&email, &vector)).await.remove(0);
        let hash = user(&app, &id).await.password_hash;
        let weak = vector.stored.rsplit(['$', '}', ':']).next().unwrap();
        assert!(hash.expose().contains("$argon2id$") && !hash.expose().contains(weak), "{scheme}");
        assert_eq!(app.login(&email, "another password").await.code(), "invalid_credentials", "{scheme}");
        assert_eq!(app.login(&email, &vector.password).await.status, 200, "{scheme}");
    }
}

#[tokio::test]
async fn what_the_old_system_accepted_is_accepted_once() {
    let app = TestApp::start().await;
    // Cut at 72 bytes: both end otherwise.
    let cut = |vector: &Vector| vector.verifies && vector.password.len() > 72 && vector.password.is_ascii();
    let vector = vector("bcrypt (npm)", "bcrypt", cut);
    import(&app, &account(ADA, &vector)).await;
    let typed = format!("{}, and more", &vector.password[..72]);
    assert_eq!(app.login(ADA, &typed).await.status, 200);
    assert_eq!(app.login(ADA, &vector.password).await.code(), "invalid_credentials");
    assert_eq!(app.login(ADA, &typed).await.status, 200);
}

#[tokio::test]
async fn concurrent_first_sign_ins_all_succeed_and_replace_the_hash_once() {
    let app = TestApp::start_with(&[("LIMITS", "off")]).await;
    let vector = django();
    let id = import(&app, &account(ADA, &vector)).await.remove(0);
    let answers = join_all((0..16).map(async |_| app.login(ADA, &vector.password).await)).await;
    assert!(answers.iter().all(|answer| answer.status == 200), "{answers:?}");
    assert!(!user(&app, &id).await.password_hash.is_imported());
    let own = app.app().store().population().await.unwrap().counts()[&PasswordKind::Own];
    assert_eq!(own, 1, "counted once");
}

#[tokio::test]
async fn an_account_comes_with_all_that_other_systems_know_it_by() {
    let app = TestApp::start().await;
    let admin = app.admin().await;
    // Of version 4, and older than every account of this service.
    let id = "0f3ad8bc-7a1e-4c0e-9d5c-5c8a1f0e2b11";
    let record = json!({
        "id": id,
        "external_id": "auth0|5f7c8ec7c33c6c004bbafe82",
        "email": "Ada.Lovelace@Example.com",
        "email_confirmed": true,
        "name": "Ada Byron",
        "roles": ["editor", "user"],
        "created_at": "2019-03-04T05:06:07Z",
        "profile": { "locale": "en" },
        "app": { "plan": "team" },
        "internal": { "note": "pilot" },
    });
    assert_eq!(import(&app, &record).await, [id]);
    let shown = admin.get(&format!("/users/{id}")).await.json();
    for member in ["external_id", "email_confirmed", "name", "roles", "app", "internal", "created_at"] {
        let expected = if member == "created_at" { json!("2019-03-04T05:06:07.000Z") } else { record[member].clone() };
        let found = if member == "created_at" {
            json!(text(&shown[member]).replace("07Z", "07.000Z"))
        } else {
            shown[member].clone()
        };
        assert_eq!(found, expected, "{member}");
    }
    let newer = app.signed_in("eve@example.com").await;
    let listed = admin.get("/users?limit=10").await.json();
    let ids: Vec<String> = listed["users"].as_array().unwrap().iter().map(|user| text(&user["id"])).collect();
    assert_eq!((ids.first(), ids.last()), (Some(&newer.id), Some(&id.to_owned())), "newest first");
    for query in
        ["external_id=auth0%7C5f7c8ec7c33c6c004bbafe82", "q=byron", "role=editor", "email=ada.lovelace%40example.com"]
    {
        assert_eq!(admin.get(&format!("/users?{query}")).await.json()["users"][0]["id"], id, "{query}");
    }
    let events = admin.get(&format!("/users/{id}/activity")).await.json();
    assert_eq!(events["events"][0]["type"], "user.imported");
    app.idle().await;
    assert!(app.mails("ada.lovelace@example.com").await.is_empty());
}

#[tokio::test]
async fn lists_by_role_page_through_ids_of_every_version() {
    let app = TestApp::start().await;
    let admin = app.admin().await;
    for number in 0..7 {
        let record = json!({
            "id": format!("{number}f3ad8bc-7a1e-4c0e-9d5c-5c8a1f0e2b11"),
            "email": format!("user{number}@example.com"),
            "roles": ["editor"],
            "created_at": format!("2020-01-0{}T00:00:00Z", 7 - number),
        });
        import(&app, &record).await;
    }
    for filter in ["role=editor", "status=unconfirmed"] {
        let (mut seen, mut path) = (Vec::new(), format!("/users?limit=2&{filter}"));
        loop {
            let page = admin.get(&path).await.json();
            seen.extend(page["users"].as_array().unwrap().iter().map(|user| text(&user["email"])));
            let Some(cursor) = page["next_cursor"].as_str() else { break };
            path = format!("/users?limit=2&{filter}&cursor={cursor}");
        }
        let newest_first: Vec<String> = (0..7).map(|number| format!("user{number}@example.com")).collect();
        assert_eq!(seen, newest_first, "{filter}");
    }
}

#[tokio::test]
async fn an_authenticator_app_of_another_form_and_its_recovery_codes_come_along() {
    let app = TestApp::start().await;
    let vector = django();
    let mut record = account(ADA, &vector);
    let secret = BASE32_NOPAD.encode(&[7; 32]);
    record["totp"] = json!({ "secret": secret, "algorithm": "SHA256", "digits": 8, "period": 60 });
    record["recovery_codes"] = json!({ "codes": ["7kq4-m2xt", "9999-0000"] });
    import(&app, &record).await;
    let form = TotpForm { algorithm: TotpAlgorithm::Sha256, digits: 8, period: 60 };
    let code = TotpSecret::of_form([7; 32], form).code(form.step_at(app.clock.now()));
    let code = String::from_utf8(code).unwrap();
    for (proof, status) in [
        (json!({ "code": "12345678" }), 403),
        (json!({ "code": code }), 200),
        (json!({ "code": code }), 403),
        (json!({ "recovery_code": "7KQ4 M2XT" }), 200),
        (json!({ "recovery_code": "7kq4-m2xt" }), 403),
        (json!({ "recovery_code": "99990000" }), 200),
    ] {
        assert_eq!(second_step(&app, ADA, &vector.password, proof.clone()).await.status, status, "{proof}");
    }
}

/// Signs in with a password and a proof of the second factor.
pub async fn second_step(app: &TestApp, email: &str, password: &str, mut proof: Value) -> Answer {
    let challenge = app.login(email, password).await;
    assert_eq!(challenge.status, 202, "{}", challenge.text);
    proof["challenge_token"] = challenge.json()["challenge_token"].clone();
    app.post("/auth/login/verify", &proof).await
}

#[tokio::test]
async fn an_imported_passkey_signs_in_alone_and_as_a_second_factor() {
    let app = TestApp::start().await;
    let vector = django();
    let id = "0f3ad8bc-7a1e-4c0e-9d5c-5c8a1f0e2b11";
    let mut key = passkey::authenticator(&app);
    // As Keycloak has it: the text of the id.
    key.set_user_handle(id.as_bytes());
    let mut record = account(ADA, &vector);
    record["id"] = json!(id);
    let handle = key.user_handle();
    record["passkeys"] = json!([{
        "id": key.credential_id(), "public_key": key.public_key(), "user_handle": handle, "rp_id": "localhost", "name": "Laptop",
    }]);
    import(&app, &record).await;
    let answer = passkey::sign_in(&app, &mut key).await;
    assert_eq!((answer.status.as_u16(), &answer.json()["user"]["id"]), (200, &json!(id)), "{}", answer.text);
    let challenge = app.login(ADA, &vector.password).await.json();
    let credential = key.get(&challenge["passkey_options"]);
    let body = json!({ "challenge_token": challenge["challenge_token"], "passkey": credential });
    assert_eq!(app.post("/auth/login/verify", &body).await.status, 200);
}

#[tokio::test]
async fn every_row_that_is_refused_says_why_and_the_rest_goes_in() {
    let app = TestApp::start_with(&[("RELYING_PARTY_ID", "localhost")]).await;
    let costly = stored(
        "passlib",
        "$pbkdf2-sha256$999999999$jBHCOCeE8F6LkTJGKGUsJQ$UzpXm8TYVv1oVfgvw4qaQGiZL.iI8wzQGC3ZbxIrMg4",
    );
    let records = [
        json!({ "email": ADA }),
        json!({ "email": "not an address", "created_at": "yesterday", "roles": ["Not a role"] }),
        json!({ "email": "ADA@example.com" }),
        json!({ "email": "costly@example.com", "password": costly }),
        json!({ "email": "unknown@example.com", "password": stored("no-such-system", "x") }),
        json!({ "email": "later@example.com", "created_at": "2999-01-01T00:00:00Z" }),
        json!({ "email": "pool@example.com", "password": { "cognito": { "pool": "eu-central-1_x", "client": "c", "username": "u" } } }),
        json!({ "email": "key@example.com", "passkeys": [{ "id": "AQID", "public_key": "AQID" }] }),
        json!({ "email": "short@example.com", "totp": { "secret": "AAAA" } }),
        json!({ "email": "elsewhere@example.com", "passkeys": [{ "id": "AQID", "public_key": "AQID", "rp_id": "example.org" }] }),
        json!({ "email": "ahead@example.com", "totp": { "secret": "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP", "last_step": 1_796_024_696 } }),
    ];
    for dry in [true, false] {
        let lines = if dry {
            dry_run(app.app(), rows(&records), &mut Seen::default()).await.unwrap()
        } else {
            import_all(&app, &records).await
        };
        assert_eq!(lines.iter().map(|line| line.row).collect::<Vec<_>>(), (1..=11).collect::<Vec<_>>());
        let reasons = |at: usize| match &lines[at].outcome {
            Outcome::Refused { reasons } => reasons.join("\n"),
            other => format!("{other:?}"),
        };
        assert!(reasons(0).starts_with("Imported") && reasons(9).starts_with("Imported"), "{lines:?}");
        assert!(lines[9].notes.iter().any(|note| note.contains("example.org")), "{lines:?}");
        for (row, named) in [
            (1, &["email: ", "created_at: ", "roles: "][..]),
            (3, &["password: "]),
            (4, &["password.system: "]),
            (5, &["created_at: "]),
            (6, &["password.cognito.pool: "]),
            (7, &["passkeys[0].public_key: "]),
            (8, &["totp.secret: "]),
            (10, &["totp.last_step: "]),
        ] {
            let reasons = reasons(row);
            assert!(named.iter().all(|named| reasons.contains(named)), "{reasons}");
            assert_eq!(reasons.lines().count(), named.len(), "{reasons}");
        }
        let taken = if dry { "email: also used in row 1" } else { "email: ADA@example.com is the address of" };
        assert!(reasons(2).starts_with(taken), "{}", reasons(2));
    }
}

#[tokio::test]
async fn the_first_row_of_an_address_becomes_the_account_however_slow() {
    let app = TestApp::start().await;
    let weak = json!({ "system": "django", "stored": "md5$seasalt$3f86d0d3d465b7b458c231bf3555c0e3" });
    let mut pairs = Vec::new();
    for number in 0..16 {
        // The first is wrapped in Argon2id, which the second is not.
        pairs.push(json!({ "email": format!("ada{number}@example.com"), "external_id": format!("{number}"), "password": weak }));
        pairs.push(json!({ "email": format!("Ada{number}@example.com") }));
        pairs.push(json!({ "email": format!("other{number}@example.com"), "external_id": format!("{number}") }));
    }
    let would = dry_run(app.app(), rows(&pairs), &mut Seen::default()).await.unwrap();
    let did = import_all(&app, &pairs).await;
    for lines in [would, did] {
        for lines in lines.chunks(3) {
            let outcomes = [&lines[0].outcome, &lines[1].outcome, &lines[2].outcome];
            let [Outcome::Imported { id }, Outcome::Refused { .. }, Outcome::AlreadyThere { id: same }] = outcomes
            else {
                panic!("{lines:?}")
            };
            assert_eq!(id, same);
        }
    }
}

#[tokio::test]
async fn an_import_that_is_repeated_changes_nothing_and_sends_nothing() {
    let app = TestApp::start().await;
    let vector = django();
    let mut with_id = account("grace@example.com", &vector);
    with_id["external_id"] = json!("4711");
    let records = [account(ADA, &vector), with_id];
    let first = import_all(&app, &records).await;
    assert_eq!(app.login(ADA, &vector.password).await.status, 200);
    let again = import_all(&app, &records).await;
    for (first, again) in first.iter().zip(&again) {
        let (Outcome::Imported { id }, Outcome::AlreadyThere { id: same }) = (&first.outcome, &again.outcome) else {
            panic!("{first:?} {again:?}");
        };
        assert_eq!(id, same);
        assert!(!user(&app, &id.to_string()).await.password_hash.is_imported() || first.row == 2);
    }
    app.idle().await;
    assert!(app.mails("grace@example.com").await.is_empty());
    let counts = app.app().store().population().await.unwrap();
    assert_eq!(counts.counts().values().sum::<u64>(), 2);
}

#[tokio::test]
async fn a_deleted_imported_account_is_not_restored_by_the_next_import() {
    let app = TestApp::start().await;
    let vector = django();
    let record = account(ADA, &vector);
    import(&app, &record).await;
    let signed_in = app.session_of(ADA, &app.login(ADA, &vector.password).await.json());
    assert_eq!(signed_in.delete("/user").await.status, 204);
    for _ in 0..2 {
        let lines = import_all(&app, std::slice::from_ref(&record)).await;
        assert!(
            matches!(&lines[0].outcome, Outcome::Refused { reasons } if reasons[0].starts_with("id: ")),
            "{lines:?}"
        );
        app.later(Duration::from_mins(2)).await;
    }
    assert_eq!(app.login(ADA, &vector.password).await.code(), "invalid_credentials");
}

#[tokio::test]
async fn an_imported_password_counts_until_it_is_replaced_or_its_account_goes() {
    let app = TestApp::start().await;
    let vector = django();
    for name in ["reset", "stays", "deleted"] {
        import(&app, &account(&format!("{name}@example.com"), &vector)).await;
    }
    let kind: PasswordKind = "foreign:pbkdf2-sha256:29000:32".parse().unwrap();
    let count = async || app.app().store().population().await.unwrap().counts()[&kind];
    assert_eq!(count().await, 3);
    assert_eq!(app.recover("reset@example.com", "quiet lantern harbour").await.status, 200);
    assert_eq!(count().await, 2);
    let admin = app.admin().await;
    let found = admin.get("/users?email=deleted%40example.com").await.json();
    assert_eq!(admin.delete(&format!("/users/{}", text(&found["users"][0]["id"]))).await.status, 204);
    assert_eq!(count().await, 1);
    // Once a day all are counted, whatever was counted meanwhile.
    let wrong = std::collections::BTreeMap::from([(kind.to_string(), 70)]);
    app.app().store().add_to_population(&wrong).await.unwrap();
    app.later(Duration::from_hours(25)).await;
    assert_eq!(count().await, 1);
}

/// A read of `DynamoDB` ends after 1 MB.
#[tokio::test]
async fn a_count_of_many_accounts_continues_in_the_next_run() {
    let app = TestApp::start().await;
    let vector = django();
    for number in 0..9 {
        import(&app, &account(&format!("user{number}@example.com"), &vector)).await;
    }
    let admin = app.admin().await;
    let listed = admin.get("/users?limit=100").await.json();
    for user in listed["users"].as_array().unwrap() {
        // Something large that the index contains too.
        let update = app.app().dynamodb().update_item().table_name("users");
        let update = update.key("pk", AttributeValue::S(format!("USER#{}", text(&user["id"]))));
        let update =
            update.key("sk", AttributeValue::S("PROFILE".into())).update_expression("SET picture.padding = :p");
        update.expression_attribute_values(":p", AttributeValue::S("x".repeat(300_000))).send().await.unwrap();
    }
    let kind: PasswordKind = "foreign:pbkdf2-sha256:29000:32".parse().unwrap();
    let wrong = std::collections::BTreeMap::from([(kind.to_string(), 70)]);
    app.app().store().add_to_population(&wrong).await.unwrap();
    let now = app.clock.now();
    let count = async || app.app().store().count_passwords(now, now, 1).await.unwrap();

    for _ in 0..2 {
        let mut runs = 1;
        while !count().await {
            runs += 1;
        }
        assert!((3..=5).contains(&runs), "{runs}");
        let population = app.app().store().population().await.unwrap();
        assert_eq!((population.counts()[&kind], population.counts()[&PasswordKind::Own]), (9, 1));
    }
}

#[tokio::test]
async fn an_exports_password_is_accepted_only_if_this_service_wrote_it() {
    let app = TestApp::start().await;
    let wrapped = |phc: &str| {
        let recipe = json!({ "scheme": { "digest": { "hash": "md5" } } });
        format!("imported:x {}", json!({ "wrapped": { "recipe": recipe, "phc": phc } }))
    };
    let elsewhere = json!({ "elsewhere": { "cognito": { "pool": "eu-central-1_x", "client": "c", "username": "u" } } });
    for stored in [
        wrapped("$argon2id$v=19$m=16777216,t=100,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAA"),
        wrapped("nonsense"),
        format!("imported:endpoint {elsewhere}"),
        "imported:own {}".to_owned(),
        "$argon2id$v=19$m=16777216,t=1,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAA".to_owned(),
        "$2b$10$XXXXXXXXXXXXXXXXXXXXXX".to_owned(),
        "a password".to_owned(),
    ] {
        let record = json!({ "email": ADA, "password": { "system": "users", "stored": stored } });
        let lines = import_all(&app, std::slice::from_ref(&record)).await;
        assert!(matches!(&lines[0].outcome, Outcome::Refused { .. }), "{stored}: {lines:?}");
    }
}

#[tokio::test]
async fn an_oversized_account_is_refused_and_the_others_are_imported() {
    let app = TestApp::start().await;
    let clients: Vec<String> = (0..11).map(|number| format!("{number:0>43}")).collect();
    let records = [
        json!({ "email": "clients@example.com", "state": { "known_clients": clients } }),
        json!({ "email": "handle@example.com", "passkeys": [{ "id": "AQID", "public_key": "AQID", "user_handle": "A".repeat(2000) }] }),
        json!({ "email": ADA }),
    ];
    let lines = import_all(&app, &records).await;
    let refused = lines.iter().map(|line| matches!(line.outcome, Outcome::Refused { .. })).collect::<Vec<_>>();
    assert_eq!(refused, [true, true, false], "{lines:?}");
}

#[tokio::test]
async fn roles_of_staff_come_along_only_where_they_are_asked_for() {
    let app = TestApp::start().await;
    let record = json!({ "email": ADA, "roles": ["admin", "editor"] });
    let lines = import_all(&app, std::slice::from_ref(&record)).await;
    let Outcome::Imported { id } = &lines[0].outcome else { panic!("{lines:?}") };
    assert_eq!(user(&app, &id.to_string()).await.roles.len(), 1);
    assert!(lines[0].notes.iter().any(|note| note.contains("`admin`")), "{lines:?}");
}

#[tokio::test]
async fn concurrent_imports_of_the_same_rows_create_each_account_once() {
    let app = TestApp::start().await;
    let records: Vec<Value> = (0..40).map(|number| json!({ "email": format!("user{number}@example.com") })).collect();
    let (one, other) = tokio::join!(import_all(&app, &records), import_all(&app, &records));
    let imported = |line: &&Line| matches!(line.outcome, Outcome::Imported { .. });
    assert_eq!(one.iter().chain(&other).filter(imported).count(), 40);
    assert!(one.iter().chain(&other).all(|line| !matches!(line.outcome, Outcome::Refused { .. })));
}

#[tokio::test]
async fn the_function_imports_a_part_of_a_file_and_forgets_its_secrets() {
    let app = TestApp::start().await;
    let vector = django();
    let part = Part { import: "test".into(), number: 3, rows: vec![601, 604] };
    let lines = format!("{}\n{}\n", account(ADA, &vector), json!({ "email": "nobody" }));
    put_part(&app, &part, &lines).await;
    send(&app, &part).await;
    let report = tests::eventually("the report", async || report(&app, &part).await).await;
    let report: Vec<Value> = report.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((&report[0]["row"], &report[0]["outcome"]), (&json!(601), &json!("imported")));
    assert_eq!((&report[1]["row"], &report[1]["outcome"]), (&json!(604), &json!("refused")));
    tests::eventually("a part that is gone", async || object(&app, part.key()).await.is_none().then_some(())).await;
    // Delivered twice.
    send(&app, &part).await;
    app.idle().await;
    assert_eq!(app.login(ADA, &vector.password).await.status, 200);
}

#[tokio::test]
async fn an_account_that_is_not_confirmed_or_disabled_stays_so() {
    let app = TestApp::start().await;
    let vector = django();
    let mut waits = account(ADA, &vector);
    waits["email_confirmed"] = json!(false);
    let mut disabled = account("eve@example.com", &vector);
    disabled["disabled"] = json!({ "reason": "chargeback" });
    let ids = [import(&app, &waits).await.remove(0), import(&app, &disabled).await.remove(0)];
    assert_eq!(app.login(ADA, &vector.password).await.code(), "email_not_confirmed");
    assert_eq!(app.login("eve@example.com", &vector.password).await.code(), "account_disabled");
    assert_eq!(app.login("eve@example.com", "another password").await.code(), "invalid_credentials");
    // Whom somebody had is not erased because nobody comes by, nor because a stranger claims the address.
    app.register(ADA).await;
    app.idle().await;
    app.later(Duration::from_hours(15 * 24)).await;
    for id in &ids {
        assert!(app.app().store().user(id.parse::<UserId>().unwrap()).await.unwrap().is_some());
    }
    assert_eq!(app.recover(ADA, "quiet lantern harbour").await.status, 200);
    assert_eq!(app.login(ADA, "quiet lantern harbour").await.status, 200);
}

#[tokio::test]
async fn unknown_addresses_pass_for_the_kinds_of_passwords_that_there_are() {
    let app = TestApp::start().await;
    app.signed_in("native@example.com").await;
    let vector = django();
    for number in 0..3 {
        import(&app, &account(&format!("user{number}@example.com"), &vector)).await;
    }
    let population = app.app().store().population().await.unwrap();
    let kinds: Vec<String> = population.counts().keys().map(ToString::to_string).collect();
    assert_eq!(kinds, ["foreign:pbkdf2-sha256:29000:32"]);
    // Once a day the others are counted, too.
    app.stack.sweep().await;
    let population = app.app().store().population().await.unwrap();
    assert_eq!(population.counts()[&PasswordKind::Own], 1);
    for number in 0..20 {
        let answer = app.login(&format!("unknown{number}@example.com"), "whatever it is").await;
        assert_eq!(answer.code(), "invalid_credentials");
    }
    assert_eq!(app.login("user0@example.com", &vector.password).await.status, 200);
    let population = app.app().store().population().await.unwrap();
    assert_eq!(population.counts().values().copied().collect::<Vec<_>>(), [2, 2]);
}

#[tokio::test]
async fn an_imported_password_can_be_changed_and_used_to_step_up() {
    let app = TestApp::start().await;
    let vector = django();
    import(&app, &account(ADA, &vector)).await;
    let answer = app.login(ADA, &vector.password).await;
    let ada = app.session_of(ADA, &answer.json());
    assert_eq!(ada.post("/auth/step-up", &json!({ "password": vector.password })).await.status, 204);
    let change = json!({ "current_password": vector.password, "new_password": "quiet lantern harbour" });
    assert_eq!(ada.put("/user/password", &change).await.status, 204);
    assert_eq!(app.login(ADA, "quiet lantern harbour").await.status, 200);
}

fn stored(system: &str, stored: &str) -> Value {
    json!({ "system": system, "stored": stored })
}
