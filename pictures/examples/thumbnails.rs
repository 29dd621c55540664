//! Makes the three thumbnails of a picture, and prints how long that took and how much memory it needed.
//!
//! `cargo run --release -p pictures --example thumbnails -- <picture> <folder for the thumbnails> [runs]`

use std::error::Error;
use std::path::Path;
use std::time::{Duration, Instant};
use std::{env, fs};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let (picture, folder, runs) = match &arguments[..] {
        [picture, folder] => (picture, folder, 1),
        [picture, folder, runs] => (picture, folder, runs.parse()?),
        _ => return Err("usage: thumbnails <picture> <folder> [runs]".into()),
    };
    let upload = fs::read(picture)?;
    let mut times: Vec<Duration> = Vec::new();
    for run in 0..runs {
        let start = Instant::now();
        let thumbnails = pictures::thumbnails(&upload)?;
        times.push(start.elapsed());
        if run == 0 {
            for picture in &thumbnails.pictures {
                let name = format!("{}.{}", picture.size, thumbnails.format.extension());
                fs::write(Path::new(folder).join(name), &picture.bytes)?;
            }
        }
    }
    times.sort();
    println!(
        "{picture}: {} bytes, {runs} runs: fastest {:.1?}, median {:.1?}; peak memory {}",
        upload.len(),
        times[0],
        times[times.len() / 2],
        peak_memory().unwrap_or_else(|| "unknown".to_owned()),
    );
    Ok(())
}

/// The most memory that this process has held at once, where the system tells (Linux).
fn peak_memory() -> Option<String> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    Some(status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?.trim().to_owned())
}
