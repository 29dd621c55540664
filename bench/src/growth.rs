//! Whether requests cost more the more accounts there are: calls to DynamoDB, items, capacity units and time of five routes,
//! in the same table as it grows, and of every filter of the list. And what deleting a user with a thousand sessions costs.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::time::{Duration, Instant};

use serde_json::Value;
use shared::clock::Timestamp;
use shared::domain::metadata::ExternalId;
use shared::domain::role::Role;
use shared::domain::status::Disabled;
use shared::domain::user::User;
use shared::store::Store;

use crate::events::{Events, by};
use crate::function::Function;
use crate::meter::{Meter, Usage};
use crate::report;
use crate::samples::{Samples, millis};
use crate::service::Running;
use crate::table::Table;

const SIZES: [usize; 3] = [1_000, 100_000, MOST];
const MOST: usize = 1_000_000;
const COMMAND: &str = "bench/with-functions growth";
const FUNCTIONS: [&str; 5] = ["get_user", "list_users", "login", "refresh", "delete_user"];
/// Filters of `list_users`. Of ten accounts one has each role and each status that is not everybody's, whatever their number.
const FILTERS: [&str; 9] = [
    "q=lovel",
    "q=user0000000",
    "role=beta",
    "role=user",
    "status=disabled",
    "status=unconfirmed",
    "status=active",
    "email=user00000007%40example.com",
    "external_id=crm-00000003",
];
/// What these cost is how many of the newest accounts they pass over.
const PASSED_BY_NEARLY_ALL: [&str; 2] = ["role=user", "status=active"];
const ROUNDS: usize = 20;
const SESSIONS: usize = 1_000;
/// Accounts that go into the table in one transaction.
const BATCH: usize = 10_000;

/// Measures at the sizes that `arguments` name, smallest first.
pub async fn run(arguments: impl Iterator<Item = String>) {
    let mut sizes: Vec<usize> = arguments.map(|size| size.parse().expect("a number of accounts")).collect();
    if sizes.is_empty() {
        sizes = SIZES.into();
    }
    let mut bench = Bench::start().await;
    let mut table = String::from(
        "| function | accounts | calls | items | read units | write units | time |\n\
         |---|---|---|---|---|---|---|\n",
    );
    let mut costs: HashMap<&str, Vec<Usage>> = HashMap::new();
    let began = Instant::now();
    for size in sizes {
        bench.grow_to(size).await;
        for (function, query) in
            FUNCTIONS.map(|name| (name, "")).into_iter().chain(FILTERS.map(|query| ("list_users", query)))
        {
            let (usage, time) = bench.measure(function, query).await;
            let label = if query.is_empty() { function } else { query };
            table += &row(label, &thousands(size), usage, time);
            costs.entry(label).or_default().push(usage);
        }
    }
    let (usage, time) = bench.delete_with_sessions().await;
    table += &row("delete_user", &format!("{} sessions", thousands(SESSIONS)), usage, time);
    let seconds = began.elapsed().as_secs();
    let _ = writeln!(table, "\nThe whole took {seconds} s, most of it filling the table.");
    report::publish("growth", "Growth", &format!("`{COMMAND}`, {ROUNDS} rounds, medians"), &table).await;
    for (function, costs) in costs {
        // Items apart: a deletion meets its farewell mail or not, as the emailer is faster or slower.
        let same = |cost: &Usage| Usage { items: costs[0].items, ..*cost } == costs[0];
        let chance = PASSED_BY_NEARLY_ALL.contains(&function);
        assert!(chance || costs.iter().all(same), "{function} costs more in a larger table: {costs:?}");
    }
    bench.service.stack.stop().await;
}

struct Bench {
    service: Running,
    table: Table,
    meter: Meter,
    events: Events,
    functions: HashMap<&'static str, Function>,
    accounts: usize,
}

impl Bench {
    async fn start() -> Self {
        let table = Table::start().await;
        let service = Running::start_with(HashMap::from([
            ("LIMITS", "off".to_owned()),
            ("AWS_ENDPOINT_URL_DYNAMODB", table.endpoint.clone()),
        ]))
        .await;
        // Without latency, as the time is of interest here.
        let meter = Meter::before(&table.endpoint, Duration::ZERO).await;
        let environment = service.function_environment(&meter.endpoint);
        let events = Events::of(&service.stack.app).await;
        let mut functions = HashMap::new();
        for name in FUNCTIONS {
            functions.insert(name, Function::start(name, &environment).await);
        }
        Self { service, table, meter, events, functions, accounts: 0 }
    }

    /// Puts in accounts as registering and confirming leaves them: the account and who has its address.
    async fn grow_to(&mut self, size: usize) {
        let app = &self.service.stack.app;
        while self.accounts < size {
            let next = size.min(self.accounts + BATCH);
            let mut items = Vec::with_capacity(2 * BATCH);
            for number in self.accounts..next {
                // One after another, all before now: which are the newest is no chance.
                let age = Duration::from_millis(MOST.saturating_sub(number) as u64);
                let created_at = app.clock.now().minus(age);
                let user = self.events.people().account(&format!("user{number:08}@example.com"), created_at);
                items.extend(Store::items_of(&one_of_ten(user, number, created_at)).expect("items"));
            }
            self.table.fill(&app.config.tables.main, items).await;
            self.accounts = next;
        }
    }

    /// One request in the middle of several, by its calls, and the median of their times.
    async fn measure(&mut self, name: &'static str, query: &str) -> (Usage, Duration) {
        let (mut usages, mut times) = (Vec::new(), Samples::default());
        for round in 0..=ROUNDS {
            let mut event = self.events.next(name).await;
            if name == "list_users" {
                event["rawQueryString"] = format!("limit=50&{query}").trim_end_matches('&').into();
            }
            let (usage, time) = self.invoke(name, &event).await;
            // The first opens connections and reads keys.
            if round > 0 {
                usages.push(usage);
                times.push(time);
            }
        }
        usages.sort_by_key(|usage| usage.calls);
        (usages[ROUNDS / 2], times.median())
    }

    async fn delete_with_sessions(&mut self) -> (Usage, Duration) {
        let people = self.events.people();
        let person = people.signed_in("many@example.com", vec![Role::USER]).await;
        for _ in 1..SESSIONS {
            people.session(&person.user).await;
        }
        self.invoke("delete_user", &by("delete_user", &person)).await
    }

    async fn invoke(&mut self, name: &'static str, event: &Value) -> (Usage, Duration) {
        let (before, began) = (self.meter.usage(), Instant::now());
        let answer = self.functions.get_mut(name).expect("a function").invoke(event).await;
        let time = began.elapsed();
        assert!(answer["statusCode"].as_u64().is_some_and(|status| status < 300), "{name}: {answer}");
        // Whether its calls overlap is chance without latency.
        (Usage { round_trips: 0, ..self.meter.usage() - before }, time)
    }
}

/// With what filters look for.
fn one_of_ten(user: User, number: usize, now: Timestamp) -> User {
    match number % 10 {
        0 => User { roles: vec![Role::parse("beta").expect("a role"), Role::USER], ..user },
        1 => User { disabled: Some(Disabled { at: now, by: None, reason: None, until: None }), ..user },
        2 => User { email_confirmed: false, ..user },
        3 => {
            let id = ExternalId::parse(&format!("crm-{number:08}")).expect("an id");
            User { external_id: Some(id), ..user }
        }
        _ => user,
    }
}

fn row(function: &str, accounts: &str, usage: Usage, time: Duration) -> String {
    let Usage { calls, items, read_units, write_units, .. } = usage;
    format!("| {function} | {accounts} | {calls} | {items} | {read_units} | {write_units} | {} |\n", millis(time))
}

/// With a comma before every three digits.
fn thousands(number: usize) -> String {
    let digits = number.to_string();
    let groups: Vec<_> = digits.as_bytes().rchunks(3).rev().map(String::from_utf8_lossy).collect();
    groups.join(",")
}
