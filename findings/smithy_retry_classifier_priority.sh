#!/usr/bin/env bash
# aws-smithy-runtime-api 1.20.0 (the AWS SDK for Rust): a retry classifier that an application configures and that names no
# priority does not override the SDK's own.
#
# One would guess that it does: the module says that specific classifiers run after generic ones "to override the actions set
# by the generic retry classifiers", and an application's is the most specific there is. But the default priority is that of
# the classifier by HTTP status, the lowest of all: what the SDK's classifiers by error and by error code say is put in its
# place. A wait of its own for an error that the SDK retries anyway (`TransactionInProgressException` of DynamoDB, for one)
# never takes effect, without a warning. It needs `RetryClassifierPriority::run_after(transient_error_classifier())`.
#
# Prints the order; fails when the default priority is no longer below the SDK's.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
mkdir src
cat > Cargo.toml <<'TOML'
[package]
name = "priority"
version = "0.0.0"
edition = "2024"

[dependencies]
aws-smithy-runtime-api = { version = "=1.20.0", default-features = false, features = ["client"] }
TOML
cat > src/main.rs <<'RUST'
use aws_smithy_runtime_api::client::interceptors::context::InterceptorContext;
use aws_smithy_runtime_api::client::retries::classifiers::{ClassifyRetry, RetryAction, RetryClassifierPriority as Priority};

#[derive(Debug)]
struct OfTheApplication;

impl ClassifyRetry for OfTheApplication {
    fn classify_retry(&self, _: &InterceptorContext) -> RetryAction {
        RetryAction::NoActionIndicated
    }

    fn name(&self) -> &'static str {
        "of the application"
    }
}

fn main() {
    let mut order = [
        ("of the application, which names no priority", OfTheApplication.priority()),
        ("the SDK's by HTTP status", Priority::http_status_code_classifier()),
        ("the SDK's by error code, before the next", Priority::run_before(Priority::modeled_as_retryable_classifier())),
        ("the SDK's by what is modeled as retryable", Priority::modeled_as_retryable_classifier()),
        ("the SDK's by transient errors", Priority::transient_error_classifier()),
    ];
    order.sort_by_key(|(_, priority)| priority.clone());
    println!("run in this order, each overrides those before it:");
    for (name, _) in &order {
        println!("- {name}");
    }
    let own = OfTheApplication.priority();
    let overridden = own < Priority::modeled_as_retryable_classifier() && own < Priority::transient_error_classifier();
    println!("the application's is overridden by the SDK's: {overridden}");
    std::process::exit(i32::from(!overridden));
}
RUST
echo "guess: an application's classifier runs last and overrides the SDK's"
cargo run --quiet
