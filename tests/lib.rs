//! A package of tests only: `main.rs` is the one test binary, laid out by route.
