//! Each sample as a whole: what every reader makes of it is in `tests/expected/`, under the sample's name.
//!
//! After a change that is meant, `WRITE_EXPECTED=1 cargo test -p formats --test samples` writes those files anew; the
//! difference is to be read before it is committed.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

use std::{env, fs, io::BufReader, path::PathBuf};

use formats::{Options, Row, Source, StaffRoles, rows};
use serde_json::{Value, json};

/// The samples, and what has to be said with them.
const SAMPLES: [(&str, Source); 18] = [
    ("accounts.jsonl", Source::JsonLines),
    ("auth0-import.json", Source::Auth0),
    ("auth0.jsonl", Source::Auth0),
    ("clerk.csv", Source::Clerk),
    ("cognito.csv", Source::Cognito),
    ("cognito.json", Source::Cognito),
    ("django.csv", Source::Django),
    ("django.json", Source::Django),
    ("firebase.csv", Source::Firebase),
    ("firebase.json", Source::Firebase),
    ("flask-security.csv", Source::FlaskSecurity),
    ("flask-werkzeug.csv", Source::FlaskSecurity),
    ("keycloak-realm.json", Source::Keycloak),
    ("keycloak-users-0.json", Source::Keycloak),
    ("kratos.json", Source::Kratos),
    ("kratos.jsonl", Source::Kratos),
    ("supabase.csv", Source::Supabase),
    ("supabase.jsonl", Source::Supabase),
];

fn folder(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(name)
}

fn options(sample: &str) -> Options {
    let settings = match sample {
        "flask-security.csv" => json!({
            "SECURITY_PASSWORD_SALT": "146585145368132386173505678016728509634",
            "SECURITY_PASSWORD_HASH": "argon2",
            "SECURITY_PASSWORD_SINGLE_HASH": false,
            "SECURITY_PASSWORD_NORMALIZE_FORM": "NFKD",
        }),
        "flask-werkzeug.csv" => json!({ "hashes": "werkzeug" }),
        "firebase.csv" | "firebase.json" => json!({
            "signer_key": "jxspr8Ki0RYycVU8zykbdLGjFQ3McFUH0uiiTvC8pVMXAn210wjLNmdZJzxUECKbm0QsEmYUSDzZvpjeJ9WmXA==",
            "salt_separator": "Bw==",
            "rounds": 8,
            "mem_cost": 14,
        }),
        _ => json!({}),
    };
    let Value::Object(settings) = settings else { unreachable!() };
    Options {
        settings,
        cognito_pool: Some("eu-central-1_a1B2c3D4e".to_owned()),
        cognito_client: Some("4a8g5rbmq2h1c9example".to_owned()),
        ..Options::default()
    }
}

fn read(sample: &str, source: Source, options: &Options) -> Vec<Row> {
    let file = fs::File::open(folder("samples").join(sample)).unwrap();
    rows(source, BufReader::new(file), options).collect()
}

fn shown(row: &Row) -> Value {
    match &row.record {
        Ok(record) => json!({ "number": row.number, "record": record, "notes": row.notes }),
        Err(problem) => json!({ "number": row.number, "problem": problem.to_string() }),
    }
}

#[test]
fn every_sample_is_read_as_expected() {
    for (sample, source) in SAMPLES {
        let found: Vec<_> = read(sample, source, &options(sample)).iter().map(shown).collect();
        let path = folder("tests/expected").join(format!("{sample}.expected.json"));
        if env::var_os("WRITE_EXPECTED").is_some() {
            fs::write(&path, format!("{:#}\n", Value::from(found.clone()))).unwrap();
        }
        let expected: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
        assert_eq!(Value::from(found), expected, "{sample}");
    }
}

#[test]
fn how_a_file_arrives_does_not_matter() {
    for (sample, source) in SAMPLES {
        let options = options(sample);
        let whole: Vec<_> = read(sample, source, &options).iter().map(shown).collect();
        for capacity in [1, 2, 7, 4099] {
            let file = fs::File::open(folder("samples").join(sample)).unwrap();
            let file = BufReader::with_capacity(capacity, file);
            let parts: Vec<_> = rows(source, file, &options).map(|row| shown(&row)).collect();
            assert_eq!(parts, whole, "{sample} in parts of {capacity} bytes");
        }
    }
}

#[test]
fn every_file_of_the_samples_is_read() {
    let mut files: Vec<_> =
        fs::read_dir(folder("samples")).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
    files.retain(|file| file != "README.md");
    files.sort();
    assert_eq!(files, SAMPLES.map(|(sample, _)| sample));
}

#[test]
fn two_forms_of_one_source_say_the_same() {
    for (one, other) in [
        ("django.csv", "django.json"),
        ("kratos.json", "kratos.jsonl"),
        ("keycloak-users-0.json", "keycloak-realm.json"),
        ("supabase.csv", "supabase.jsonl"),
    ] {
        let source = SAMPLES.iter().find(|(sample, _)| *sample == one).unwrap().1;
        let records = |sample| {
            let rows = read(sample, source, &options(sample));
            rows.into_iter().map(|row| row.record.map(|record| json!(record)).map_err(|problem| problem.to_string()))
        };
        for (mut one, mut other) in records(one).zip(records(other)) {
            // `dumpdata` and JSON have milliseconds where the table has microseconds.
            for record in [&mut one, &mut other].into_iter().flatten() {
                record.as_object_mut().unwrap().remove("created_at");
            }
            assert_eq!(one, other);
        }
    }
}

#[test]
fn what_prints_shows_no_secret() {
    for (sample, source) in SAMPLES {
        let options = options(sample);
        let printed = format!("{options:?} {:?}", read(sample, source, &options));
        for secret in [
            "$2",
            "$argon2",
            "pbkdf2",
            "scrypt:",
            "JBSWY3DP",
            "jbswy3dp",
            "jxspr8Ki",
            "14658514",
            "7KQ4",
            "aaaa-bbbb",
            "k2m9xw4b",
        ] {
            assert!(!printed.contains(secret), "{sample} shows {secret}");
        }
    }
}

#[test]
fn staff_roles_are_kept_when_asked_for() {
    let keep = Options { staff_roles: StaffRoles::Keep, ..Options::default() };
    for (sample, source, expected) in [
        ("django.csv", Source::Django, vec!["admin"]),
        ("keycloak-users-0.json", Source::Keycloak, vec!["editor", "admin", "buyer"]),
        ("flask-security.csv", Source::FlaskSecurity, vec!["editor", "admin"]),
    ] {
        let roles = read(sample, source, &keep).swap_remove(0).record.unwrap().roles.unwrap();
        assert_eq!(roles, expected, "{sample}");
    }
}
