//! Makes the three thumbnails of a picture once for every line that it reads, and answers each with the nanoseconds that
//! took. The first answer, to no line, is `ready`; the thumbnails of the first time are kept.
//!
//! `yes | head -20 | cargo run --release -p pictures --example thumbnails -- <picture> <folder for the thumbnails>`

use std::error::Error;
use std::path::Path;
use std::time::Instant;
use std::{env, fs, io};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [picture, folder] = &arguments[..] else {
        return Err("usage: thumbnails <picture> <folder>".into());
    };
    let upload = fs::read(picture)?;
    println!("ready");
    for (run, line) in io::stdin().lines().enumerate() {
        line?;
        let start = Instant::now();
        let thumbnails = pictures::thumbnails(&upload)?;
        let took = start.elapsed();
        if run == 0 {
            for picture in &thumbnails.pictures {
                let name = format!("{}.{}", picture.size, thumbnails.format.extension());
                fs::write(Path::new(folder).join(name), &picture.bytes)?;
            }
        }
        println!("{}", took.as_nanos());
    }
    Ok(())
}
