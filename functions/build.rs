//! Unpacks what the documentation page needs of Swagger UI.

use std::env;
use std::error::Error;
use std::fs;
use std::io::Cursor;
use std::path::Path;

use utoipa_swagger_ui_vendored::SWAGGER_UI_VENDORED;
use zip::ZipArchive;

/// Of some twenty files: the others are the same code once more for other ways to load it, or their own page.
const NEEDED: [&str; 3] = ["favicon-32x32.png", "swagger-ui-bundle.js", "swagger-ui.css"];

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=build.rs");
    let out = env::var("OUT_DIR")?;
    let mut archive = ZipArchive::new(Cursor::new(SWAGGER_UI_VENDORED))?;
    for name in NEEDED {
        let inside = format!("/dist/{name}");
        let path = archive.file_names().flatten().find(|path| path.ends_with(&inside)).ok_or(inside)?.into_owned();
        std::io::copy(&mut archive.by_name(&path)?, &mut fs::File::create(Path::new(&out).join(name))?)?;
    }
    Ok(())
}
