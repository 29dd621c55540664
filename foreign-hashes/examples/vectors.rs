//! Checks vectors on all cores and prints a table of them: `vectors FILE`, or the vectors on standard input.
//!
//! It fails unless this crate answers what the producer of each vector did.

use std::collections::BTreeMap;
use std::error::Error;
use std::io::Read;
use std::num::NonZero;
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use foreign_hashes::vectors::Vector;

/// What became of a producer's vectors.
#[derive(Default, Clone, Copy)]
struct Tally {
    right: usize,
    wrong: usize,
    refused: usize,
}

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let vectors = read()?;
    let tallies = check(&vectors);
    let mut all = Tally::default();
    println!("{:50} {:>6} {:>6} {:>7}", "producer", "right", "wrong", "refused");
    for (producer, Tally { right, wrong, refused }) in tallies {
        println!("{producer:50} {right:>6} {wrong:>6} {refused:>7}");
        all = Tally { right: all.right + right, wrong: all.wrong + wrong, refused: all.refused + refused };
    }
    println!("{} of {} agree", all.right, vectors.len());
    Ok(if all.right == vectors.len() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn read() -> Result<Vec<Vector>, Box<dyn Error>> {
    let mut text = String::new();
    match std::env::args_os().nth(1) {
        Some(path) => text = std::fs::read_to_string(path)?,
        None => _ = std::io::stdin().read_to_string(&mut text)?,
    }
    Ok(text.lines().filter(|line| !line.is_empty()).map(serde_json::from_str).collect::<Result<_, _>>()?)
}

/// Each thread takes the next vector until there is none.
fn check(vectors: &[Vector]) -> BTreeMap<&str, Tally> {
    let next = AtomicUsize::new(0);
    let tallies = Mutex::new(BTreeMap::new());
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, NonZero::get) {
            scope.spawn(|| {
                while let Some(vector) = vectors.get(next.fetch_add(1, Ordering::Relaxed)) {
                    count(&tallies, vector);
                }
            });
        }
    });
    tallies.into_inner().unwrap_or_default()
}

fn count<'a>(tallies: &Mutex<BTreeMap<&'a str, Tally>>, vector: &'a Vector) {
    let checked = vector.check();
    let Ok(mut tallies) = tallies.lock() else { return };
    let tally: &mut Tally = tallies.entry(&vector.producer).or_default();
    match checked {
        Ok(accepted) if accepted == vector.verifies => tally.right += 1,
        Ok(accepted) => {
            tally.wrong += 1;
            eprintln!("{}, {}, {:?}: {accepted}", vector.producer, vector.scheme, vector.password);
        }
        Err(error) => {
            tally.refused += 1;
            eprintln!("{}, {}: {error}", vector.producer, vector.scheme);
        }
    }
}
