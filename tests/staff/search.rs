//! `GET /users` with filters

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures_util::future::join_all;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestCaseError, TestRunner};
use serde_json::json;
use shared::domain::email::EmailAddress;
use shared::domain::event::{Actor, DomainEvent, EventKind};
use shared::domain::id::UserId;
use shared::domain::mail::{EmailKind, OutboxEmail};
use shared::domain::name::UserName;
use shared::domain::role::Role;
use shared::domain::search::{Indexed, Query};
use shared::domain::status::{Disabled, Status};
use shared::domain::user::User;
use shared::store::{Filter, StaffAct};
use tests::{SignedIn, TestApp, text};

/// The addresses of a page.
async fn found(staff: &SignedIn<'_>, query: &str) -> Vec<String> {
    let answer = staff.get(&format!("/users?{query}")).await;
    assert_eq!(answer.status, 200, "{query}: {}", answer.text);
    answer.json()["users"].as_array().unwrap().iter().map(|user| text(&user["email"])).collect()
}

#[tokio::test]
async fn an_account_is_found_by_address_name_role_status_and_external_id() {
    let app = TestApp::start().await;
    let admin = app.admin().await;
    for (name, email) in [
        ("Anders Ångström", "anders@example.com"),
        ("Zoë Anderson", "zoe.a@example.com"),
        ("Bo", "angsty+list@example.com"),
    ] {
        let body =
            json!({ "name": name, "email": email, "email_confirmed": true, "external_id": format!("x-{email}") });
        assert_eq!(admin.post("/users", &body).await.status, 201);
    }
    let waiting = json!({ "name": "Waiting", "email": "waiting@example.com", "roles": ["user", "beta"] });
    assert_eq!(admin.post("/users", &waiting).await.status, 201);
    for (query, addresses) in [
        ("q=angs", &["anders@example.com", "angsty+list@example.com"][..]),
        ("q=%C3%85NGS", &["anders@example.com"]),
        ("q=ander", &["anders@example.com", "zoe.a@example.com"]),
        ("q=zoe.a", &["zoe.a@example.com"]),
        ("q=anderson+zo", &["zoe.a@example.com"]),
        ("q=angsty%2Bl", &["angsty+list@example.com"]),
        ("q=nobody", &[]),
        ("email=ANDERS%40example.com", &["anders@example.com"]),
        ("email=nobody%40example.com", &[]),
        ("external_id=x-zoe.a%40example.com", &["zoe.a@example.com"]),
        ("external_id=x-zoe.a%40example.com&q=bo", &[]),
        ("role=beta", &["waiting@example.com"]),
        ("role=admin", &["admin@example.com"]),
        ("role=nobody", &[]),
        ("status=unconfirmed", &["waiting@example.com"]),
        ("status=disabled", &[]),
        ("status=unconfirmed&role=beta&q=wai", &["waiting@example.com"]),
        ("status=active&role=beta", &[]),
    ] {
        assert_eq!(found(&admin, query).await, addresses, "{query}");
    }
    assert_eq!(found(&admin, "status=active&limit=2").await, ["angsty+list@example.com", "zoe.a@example.com"]);
    let id = text(&admin.get("/users?role=beta").await.json()["users"][0]["id"]);
    assert_eq!(admin.post(&format!("/users/{id}/disable"), &json!({})).await.status, 200);
    assert_eq!(found(&admin, "status=disabled").await, ["waiting@example.com"]);
    assert_eq!(found(&admin, "status=unconfirmed").await, Vec::<String>::new());
    assert_eq!(admin.delete(&format!("/users/{id}")).await.status, 204);
    assert_eq!(found(&admin, "role=beta").await, Vec::<String>::new());
    app.later(Duration::from_mins(2)).await;
    assert_eq!(
        app.items_with(&id).await.iter().filter(|item| item.contains("FIND#")).count(),
        0,
        "nothing is left of it"
    );
}

#[tokio::test]
async fn filters_are_validated_and_cursors_belong_to_their_filters() {
    let app = TestApp::start().await;
    let admin = app.admin().await;
    for number in 0..5 {
        let body = json!({ "name": format!("Anna {number}"), "email": format!("anna{number}@example.com") });
        assert_eq!(admin.post("/users", &body).await.status, 201);
    }
    for (query, field, code) in [
        ("q=%20", "q", "required"),
        ("status=gone", "status", "invalid_status"),
        ("role=Admin", "role", "invalid_role"),
        ("email=nobody", "email", "invalid_email"),
        ("external_id=", "external_id", "invalid_external_id"),
    ] {
        assert_eq!(
            admin.get(&format!("/users?{query}")).await.fields(),
            [(field.to_owned(), code.to_owned())],
            "{query}"
        );
    }
    let cursor = text(&admin.get("/users?q=anna&limit=2").await.json()["next_cursor"]);
    assert_eq!(admin.get(&format!("/users?q=anna&limit=3&cursor={cursor}")).await.status, 200);
    for query in ["", "q=ann", "q=anna&role=user", "status=unconfirmed"] {
        let refused = admin.get(&format!("/users?{query}&cursor={cursor}")).await;
        assert_eq!(refused.fields(), [("cursor".to_owned(), "invalid_cursor".to_owned())], "{query}");
    }
}

#[tokio::test]
async fn concurrent_renames_index_the_words_of_one() {
    let app = TestApp::start().await;
    let ada = app.signed_in("ada@example.com").await;
    let bodies: Vec<_> = (0..16).map(|number| json!({ "name": format!("Name{number} Word{number}") })).collect();
    let answers = join_all(bodies.iter().map(|body| ada.put("/user", body))).await;
    assert!(answers.iter().all(|answer| [200, 503].contains(&answer.status.as_u16())), "{answers:?}");
    let name = text(&ada.get("/user").await.json()["name"]);
    let mut indexed: Vec<_> = app.items_with(&ada.id).await;
    indexed.retain(|item| item.contains("FIND#NAME#"));
    assert_eq!(indexed.len(), 2, "{indexed:?}");
    for word in name.to_lowercase().split(' ') {
        assert!(indexed.iter().any(|item| item.contains(&format!("{word} {}", ada.id))), "{word} of {indexed:?}");
    }
}

/// A change of one of the accounts, which are counted modulo how many there are.
#[derive(Debug, Clone)]
enum Change {
    Create(usize, usize),
    Rename(usize, usize),
    Move(usize, usize),
    Confirm(usize, bool),
    Disable(usize, Option<u64>),
    Enable(usize),
    Roles(usize, usize),
    Delete(usize),
}

const NAMES: [&str; 7] = ["Anna Andersson", "Ann", "Åsa Berg", "Bo Ann-Berg", "Zoë O'Ann", "王小明", "Berg Berg"];
const ADDRESSES: [&str; 5] = ["ann", "ann.b", "berg", "zed", "a"];
const TEXTS: [&str; 9] = ["an", "ann", "ANDERS", "berg", "ber an", "asa", "王", "z", "ann.b"];

fn changes() -> impl Strategy<Value = Vec<Change>> {
    let account = 0_usize..12;
    let change = prop_oneof![
        4 => (0..NAMES.len(), 0..ADDRESSES.len()).prop_map(|(name, address)| Change::Create(name, address)),
        3 => (account.clone(), 0..NAMES.len()).prop_map(|(at, name)| Change::Rename(at, name)),
        2 => (account.clone(), 0..ADDRESSES.len()).prop_map(|(at, address)| Change::Move(at, address)),
        2 => (account.clone(), any::<bool>()).prop_map(|(at, confirmed)| Change::Confirm(at, confirmed)),
        // Until before the next change, or after all of them: the clock goes on while a list is compared.
        2 => (account.clone(), proptest::option::of(proptest::sample::select(vec![1_u64, 3_600_000])))
            .prop_map(|(at, until)| Change::Disable(at, until)),
        1 => account.clone().prop_map(Change::Enable),
        2 => (account.clone(), 0_usize..3).prop_map(|(at, roles)| Change::Roles(at, roles)),
        1 => account.prop_map(Change::Delete),
    ];
    proptest::collection::vec(change, 1..40)
}

fn filter() -> impl Strategy<Value = Filter> {
    let text = proptest::option::weighted(0.7, proptest::sample::select(TEXTS.to_vec()));
    let role = proptest::option::of(proptest::sample::select(vec!["user", "beta", "admin"]));
    let status = [Status::Active, Status::Unconfirmed, Status::Disabled];
    (text, role, proptest::option::of(proptest::sample::select(status.to_vec()))).prop_map(|(text, role, status)| {
        Filter {
            query: text.map(|text| Query::parse(text).unwrap()),
            role: role.map(|role| Role::parse(role).unwrap()),
            status,
        }
    })
}

/// Accounts as they are to be, beside the table.
struct World<'a> {
    app: &'a TestApp,
    accounts: BTreeMap<UserId, User>,
    made: usize,
}

impl World<'_> {
    fn at(&self, at: usize) -> Option<User> {
        self.accounts.values().nth(at % self.accounts.len().max(1)).cloned()
    }

    /// Changes the table and the accounts; the account that was changed.
    async fn change(&mut self, change: &Change) -> Option<UserId> {
        self.app.clock.advance(Duration::from_millis(5));
        let now = self.app.clock.now();
        self.made += 1;
        let address = |of: usize| EmailAddress::parse(&format!("{}{}@example.com", ADDRESSES[of], self.made)).unwrap();
        let before = match *change {
            Change::Create(name, of) => {
                let hash = shared::hashing::unusable(&self.app.app().config.password_hash).unwrap();
                let user = User::new(UserName::parse(NAMES[name]).unwrap(), address(of), hash, now);
                assert!(self.app.app().store().create_user_as_staff(&act(&user, &[], now)).await.unwrap());
                let id = user.id;
                self.accounts.insert(id, user);
                return Some(id);
            }
            Change::Rename(at, _) | Change::Move(at, _) | Change::Confirm(at, _) | Change::Disable(at, _) => {
                self.at(at)?
            }
            Change::Enable(at) | Change::Roles(at, _) | Change::Delete(at) => self.at(at)?,
        };
        let (id, store) = (before.id, self.app.app().store());
        let patched = match *change {
            Change::Rename(_, name) => User { name: UserName::parse(NAMES[name]).unwrap(), ..before.clone() },
            Change::Move(_, of) => User { email: address(of), ..before.clone() },
            Change::Confirm(_, confirmed) => User { email_confirmed: confirmed, ..before.clone() },
            Change::Roles(_, roles) => {
                let roles = [&["user"][..], &["user", "beta"], &["admin", "beta"]][roles];
                User { roles: roles.iter().map(|role| Role::parse(role).unwrap()).collect(), ..before.clone() }
            }
            Change::Disable(_, until) => {
                let until = until.map(|after| now.plus(Duration::from_millis(after)));
                let disabled = Disabled { at: now, by: None, reason: None, until };
                assert!(store.disable_user(&act(&before, &[], now), &disabled, None).await.unwrap());
                self.reread(id).await;
                return Some(id);
            }
            Change::Enable(_) => {
                assert!(store.enable_user(&act(&before, &[], now), now).await.unwrap());
                self.reread(id).await;
                return Some(id);
            }
            _ => {
                let kind = EmailKind::AccountDeleted { to: before.email.clone(), name: before.name.clone() };
                let farewell = OutboxEmail::new(before.email.normalized(), kind, now);
                let event = DomainEvent::of_user(id, &Actor::SYSTEM, [EventKind::Enabled {}], now).remove(0);
                assert!(store.delete_user(&before, None, &farewell, &event).await.unwrap().is_some());
                self.accounts.remove(&id);
                return Some(id);
            }
        };
        let indexed = Some(Indexed::new(&patched.name, now));
        let patched = User {
            indexed: indexed
                .filter(|_| patched.name != before.name || patched.email != before.email)
                .or(patched.indexed.clone()),
            ..patched
        };
        assert!(store.patch_user(&act(&before, &[], now), &patched, &[], false).await.unwrap());
        self.reread(id).await;
        Some(id)
    }

    async fn reread(&mut self, id: UserId) {
        let user = self.app.app().store().user(id).await.unwrap().unwrap();
        self.accounts.insert(id, user);
    }

    /// What a filter finds, in its order.
    fn expected(&self, filter: &Filter) -> Vec<UserId> {
        let now = self.app.clock.now();
        let admitted = self.accounts.values().filter(|user| filter.finds(user, now));
        let mut found: Vec<_> = admitted.map(|user| (sort_key(filter, user), user.id)).collect();
        found.sort();
        if filter.query.is_none() {
            found.reverse();
        }
        found.into_iter().map(|(_, id)| id).collect()
    }
}

/// By name, then by address; without a text by age.
fn sort_key(filter: &Filter, user: &User) -> (u8, String) {
    let mut words: Vec<_> = Indexed::new(&user.name, user.created_at).words;
    words.sort();
    match &filter.query {
        None => (0, user.id.to_string()),
        Some(query) => match query.found_by(&words) {
            Some(word) => (1, format!("{word} {}", user.id)),
            None => (2, format!("{} {}", user.email.normalized().as_str(), user.id)),
        },
    }
}

fn act<'a>(user: &'a User, events: &'a [DomainEvent], now: shared::clock::Timestamp) -> StaffAct<'a> {
    StaffAct { user, staff: None, mail: None, events, now }
}

/// Reference: a search agrees with a list in memory after any changes; and with changes between the pages no page is short, no
/// account is met twice, and one that was not changed is met.
#[test]
fn a_search_agrees_with_a_list_in_memory_under_any_changes() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let config = Config { failure_persistence: None, ..Config::with_cases(48) };
    let cases = (changes(), proptest::collection::vec(filter(), 1..6), 1_usize..5, changes());
    let outcome = TestRunner::new(config).run(&cases, |(before, filters, limit, during)| {
        runtime.block_on(async {
            let app = TestApp::start().await;
            let mut world = World { app: &app, accounts: BTreeMap::new(), made: 0 };
            for change in &before {
                world.change(change).await;
            }
            app.clock.advance(Duration::from_millis(5));
            for filter in &filters {
                let walked = walk(&mut world, filter, limit, &mut [].iter()).await?;
                prop_assert_eq!(&walked.0, &world.expected(filter), "{:?}", filter);
            }
            let mut during = during.iter();
            for filter in &filters {
                let unchanged: BTreeSet<_> = world.expected(filter).into_iter().collect();
                let (met, changed) = walk(&mut world, filter, limit, &mut during).await?;
                let distinct: BTreeSet<_> = met.iter().copied().collect();
                prop_assert_eq!(distinct.len(), met.len(), "{:?} met one twice", filter);
                let still: BTreeSet<_> = world.expected(filter).into_iter().collect();
                for id in unchanged.intersection(&still).filter(|id| !changed.contains(*id)) {
                    prop_assert!(distinct.contains(id), "{:?} passed over {}", filter, id);
                }
            }
            Ok::<_, TestCaseError>(())
        })
    });
    outcome.unwrap();
}

/// Walks through all pages, with a change after each; what was met, and which accounts were changed.
async fn walk(
    world: &mut World<'_>,
    filter: &Filter,
    limit: usize,
    changes: &mut std::slice::Iter<'_, Change>,
) -> Result<(Vec<UserId>, BTreeSet<UserId>), TestCaseError> {
    let (mut met, mut touched, mut after) = (Vec::new(), BTreeSet::new(), None);
    loop {
        let now = world.app.clock.now();
        let page = world.app.app().store().find_users(filter, after, limit, now).await.unwrap();
        let full = page.len() == limit;
        prop_assert!(page.len() <= limit);
        after = page.last().map(|(_, position)| position.clone());
        met.extend(page.into_iter().map(|(user, _)| user.id));
        if !full {
            return Ok((met, touched));
        }
        if let Some(change) = changes.next() {
            touched.extend(world.change(change).await);
        }
    }
}
