#!/usr/bin/env bash
# utoipa's ToSchema drops a serde rename whose text comes from a macro's `literal`, and documents other values than serde writes.
#
# A macro by example that makes an enum of a table has `#[serde(rename = $name)] $variant`. serde renames the variant whatever kind
# of fragment `$name` is. One would guess that `ToSchema`, which reads serde's attributes, does so, too, or fails. With a `literal`
# it documents the variant's own name, without a word; with a `tt` it documents the renamed one.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/src"
cat > "$work/Cargo.toml" <<'TOML'
[package]
name = "renamed"
version = "0.0.0"
edition = "2024"

[dependencies]
serde = { version = "=1.0.229", features = ["derive"] }
serde_json = "=1.0.154"
utoipa = { version = "=6.0.0", default-features = false, features = ["macros"] }
utoipa-gen = "=6.0.1"
TOML
cat > "$work/src/main.rs" <<'RUST'
use serde::Serialize;
use utoipa::{PartialSchema, ToSchema};

macro_rules! by_literal {
    ($name:ident: $($variant:ident $code:literal),*) => {
        #[derive(Serialize, ToSchema)]
        enum $name { $(#[serde(rename = $code)] $variant),* }
    };
}

macro_rules! by_token {
    ($name:ident: $($variant:ident $code:tt),*) => {
        #[derive(Serialize, ToSchema)]
        enum $name { $(#[serde(rename = $code)] $variant),* }
    };
}

by_literal!(Literal: Internal "internal_error");
by_token!(Token: Internal "internal_error");

fn main() {
    let documented = |schema| serde_json::to_value::<utoipa::openapi::RefOr<utoipa::openapi::schema::Schema>>(schema).unwrap()["enum"][0].clone();
    let seen = [
        (serde_json::to_value(Literal::Internal).unwrap(), documented(Literal::schema())),
        (serde_json::to_value(Token::Internal).unwrap(), documented(Token::schema())),
    ];
    println!("utoipa 6.0.0, an enum whose variant a macro renames: what serde writes, and what is documented");
    println!("guessed: the same, for either kind of fragment");
    println!("seen:    literal: {} and {}; tt: {} and {}", seen[0].0, seen[0].1, seen[1].0, seen[1].1);
    assert_eq!(seen[0], ("internal_error".into(), "Internal".into()));
    assert_eq!(seen[1], ("internal_error".into(), "internal_error".into()));
}
RUST
cargo run --quiet --manifest-path "$work/Cargo.toml"
