//! The vectors that are cheap enough for every build. `bench -- hashes` checks all of them.

use std::collections::{BTreeMap, BTreeSet};

use foreign_hashes::vectors::Vector;
use foreign_hashes::{Class, ForeignHash, Stored};

/// What the checks of one scheme may cost in all, in about the time of a MiB of Argon2 or of a thousand digests.
const BUDGET: u64 = 400;

fn vectors() -> Vec<Vector> {
    include_str!("../vectors/vectors.jsonl").lines().map(|line| serde_json::from_str(line).expect("a vector")).collect()
}

fn read(vector: &Vector) -> ForeignHash {
    match vector.read() {
        Ok(Stored::Hash(hash)) => hash,
        other => panic!("{}, {}: {other:?}", vector.producer, vector.scheme),
    }
}

/// About how long a check takes, by its class.
fn cost(hash: &ForeignHash) -> u64 {
    let class = hash.class().to_string();
    let scheme = class.split('+').next().unwrap_or_default();
    let (name, numbers) = scheme.split_once(':').unwrap_or((scheme, ""));
    let numbers: Vec<u64> = numbers.split(':').map(|number| number.parse().unwrap_or(0)).collect();
    match (name, &numbers[..]) {
        ("bcrypt", [cost]) => (1 << cost) / 16,
        ("scrypt", [log_n, r, p, ..]) => ((r * p) << log_n) / 8192 * 3,
        ("yescrypt" | "gost-yescrypt", [_, log_n, r, p, _]) => ((r * p) << log_n) / 8192,
        (name, [m, t, ..]) if name.starts_with("argon2") => m * t / 1024,
        (name, [rounds, ..]) if name.ends_with("-crypt") => rounds / 300,
        (_, [rounds, ..]) => rounds / 1000,
        _ => 1,
    }
}

/// Of each scheme of each producer the first right password and the first wrong one.
fn first_of_each(vectors: &[Vector]) -> Vec<&Vector> {
    let mut seen = BTreeSet::new();
    vectors.iter().filter(|it| seen.insert((&it.producer, &it.scheme, it.verifies))).collect()
}

fn assert_agrees(hash: &ForeignHash, vector: &Vector) {
    let Vector { producer, scheme, password, .. } = vector;
    assert_eq!(hash.verify(password), vector.verifies, "{producer}, {scheme}, {password:?}");
}

fn family(class: &Class) -> String {
    class.to_string().split([':', '+']).next().expect("a first part").to_owned()
}

#[test]
fn cheap_vectors_agree_with_their_producers() {
    let vectors = vectors();
    let mut spent: BTreeMap<String, u64> = BTreeMap::new();
    let mut checked = 0;
    for vector in first_of_each(&vectors) {
        let hash = read(vector);
        let spent = spent.entry(family(&hash.class())).or_default();
        if *spent + cost(&hash) > BUDGET && *spent > 0 {
            continue;
        }
        *spent += cost(&hash);
        checked += 1;
        assert_agrees(&hash, vector);
    }
    assert!(checked > 100, "{checked}");
}

#[test]
fn every_vector_is_read() {
    for vector in vectors() {
        let hash = read(&vector);
        assert!(!hash.expected().is_empty());
    }
}

#[test]
fn every_vector_of_the_cheapest_classes_agrees() {
    for vector in vectors() {
        let hash = read(&vector);
        if cost(&hash) <= 1 {
            assert_agrees(&hash, &vector);
        }
    }
}

#[test]
fn every_recipe_survives_json() {
    for vector in vectors() {
        let hash = read(&vector);
        let json = serde_json::to_string(&hash).unwrap();
        assert_eq!(serde_json::from_str::<ForeignHash>(&json).unwrap(), hash, "{json}");
        let class = hash.class();
        assert_eq!(class.to_string().parse(), Ok(class));
    }
}

#[test]
fn every_class_has_a_dummy_that_no_password_has() {
    let classes: BTreeSet<_> = vectors().iter().map(|vector| read(vector).class()).collect();
    let mut spent: BTreeSet<String> = BTreeSet::new();
    for class in classes {
        let dummy = class.dummy();
        assert_eq!(dummy.class(), class);
        if cost(&dummy) < 50 && spent.insert(family(&class)) {
            assert!(dummy.recipe().derive("").is_some(), "{class}");
            for password in ["", "password", "\0"] {
                assert!(!dummy.verify(password), "{class}");
            }
        }
    }
}

#[test]
fn nothing_prints_a_salt_or_an_output() {
    for vector in vectors() {
        let hash = read(&vector);
        let printed = format!("{hash:?}");
        for secret in ["pepper", "secret", "signer_key", "salt", "SECURITY_PASSWORD_SALT"] {
            if let Some(value) = vector.extra.get(secret).and_then(|value| value.as_str()) {
                assert!(!printed.contains(value), "{printed}");
            }
        }
        assert!(vector.stored.len() < 20 || !printed.contains(&vector.stored[vector.stored.len() - 12..]), "{printed}");
    }
}

#[test]
fn a_weak_hash_can_be_wrapped() {
    let vectors = vectors();
    for vector in first_of_each(&vectors).into_iter().filter(|vector| vector.verifies) {
        let hash = read(vector);
        if hash.is_weak() && cost(&hash) <= 10 {
            assert_eq!(hash.recipe().derive(&vector.password).unwrap().as_slice(), hash.expected());
        }
    }
}
