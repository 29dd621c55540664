//! Accounts that move in, and out again.
//!
//! - [`account`] makes of a record of a file what this service stores, or says all that is wrong with it.
//! - [`import`] writes accounts, many at once, each whole or not at all.
//! - [`export`] reads a table's export to S3 and writes records.
//!
//! The command line and the function that imports on AWS run the same code.

pub mod account;
pub mod export;
pub mod import;
pub mod parts;
