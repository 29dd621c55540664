//! What was measured, to read and to look at.

use std::fmt::Write as _;

use super::contender::Contender;
use super::load::Row;
use super::peer::Passwords;
use super::postgres::Postgres;
use crate::plot::Bars;
use crate::samples::millis;

/// The first of `contenders` is this service.
pub fn table(contenders: &[Contender]) -> String {
    let mut text = String::from(
        "| what | service | a second | p50 | p99 | this service, times as many |\n|---|---|---|---|---|---|\n",
    );
    for row in Row::ALL {
        let ours = contenders[0].tallies[&row].per_second();
        for contender in
            contenders.iter().filter(|contender| contender.passwords == Passwords::Default || row == Row::SignIn)
        {
            let service = match row {
                Row::SignIn => format!("{}, {}", contender.peer.name(), contender.hash()),
                _ => contender.peer.name().to_owned(),
            };
            let _ = write!(text, "| {} | {service} |", row.name());
            let _ = match contender.tallies.get(&row) {
                None => writeln!(text, " none | | | |"),
                Some(tally) => writeln!(
                    text,
                    " {:.1} | {} | {} | {:.2} |",
                    tally.per_second(),
                    millis(tally.samples.median()),
                    millis(tally.samples.percentile(99)),
                    ours / tally.per_second()
                ),
            };
        }
    }
    text += "\n| service | memory | its database's | made of |\n|---|---|---|---|\n";
    for contender in contenders.iter().filter(|contender| contender.passwords == Passwords::Default) {
        let (service, database) = contender.memory();
        let database = database.map_or_else(|| "in it".to_owned(), mebibytes);
        let _ = writeln!(
            text,
            "| {} | {} | {database} | {} |",
            contender.peer.name(),
            mebibytes(service),
            contender.peer.versions()
        );
    }
    let _ = write!(text, "\nThe peers' database is {}.\n\n{NOTES}", Postgres::version());
    text
}

const NOTES: &str = "\
- A listing is all requests for 1,000 users together.
- Memory is the sum of PSS over the processes, after the load.
- This service does here what AWS would do as well: the gateway's events, DynamoDB's requests and signatures, a log record for each request. \
The peers' access logs are off.
- A refresh is what each has: this service exchanges the refresh token in the database, better-auth writes and reads its \
session, flask-jwt-extended signs a new access token after a look at the user and keeps no session; FastAPI Users has none. Of Flask and \
FastAPI Users nothing is stored at a sign-in, so their access tokens cannot be ended before their time.
- No service counts attempts: that would end the measurement. A commit waits for the disk in none of the databases.
";

/// As [`table`] has it, but one bar for each rate.
pub fn plot(contenders: &[Contender]) {
    let of = |passwords| contenders.iter().filter(move |contender| contender.passwords == passwords);
    let names: Vec<_> = of(Passwords::Default).map(|contender| contender.peer.name()).collect();
    let rates = |contenders: &[&Contender], row| contenders.iter().map(|contender| contender.rate(row)).collect();
    let default: Vec<_> = of(Passwords::Default).collect();
    let alike: Vec<_> = contenders[..1].iter().chain(of(Passwords::Alike)).collect();
    let mut groups = vec![("sign in, same hash", rates(&alike, Row::SignIn))];
    groups.extend(Row::ALL.map(|row| (row.name(), rates(&default, row))));
    groups[1].0 = "sign in, own hash";
    Bars { title: "Requests a second; a listing counts once", series: &names, groups }.draw("peers");
}

#[allow(clippy::cast_precision_loss, reason = "a service is small")]
fn mebibytes(bytes: u64) -> String {
    format!("{:.0} MiB", bytes as f64 / f64::from(1 << 20))
}
