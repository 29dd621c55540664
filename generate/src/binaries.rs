//! A `main` for each function, and its entry in the manifest.

use functions::{AREAS, FALLBACK};

use crate::output::Output;

pub fn write(output: &mut Output) -> Result<(), String> {
    let mut entries = String::new();
    output.owns("functions/src/bin", "rs");
    for area in AREAS {
        let routes = area.routes.iter().chain((FALLBACK.area == area.name).then_some(&FALLBACK));
        let routes = routes.map(|route| {
            let run = format!(
                "shared::lambda::serve(const {{ &functions::{}::{}::ROUTE.served() }})",
                route.area, route.name
            );
            (route.name, run)
        });
        let workers = area.workers.iter();
        let workers =
            workers.map(|worker| (worker.name, format!("functions::{}::{}::run()", worker.area, worker.name)));
        for (name, run) in routes.chain(workers) {
            entries += &format!("\n[[bin]]\nname = \"{name}\"\npath = \"src/bin/{name}.rs\"\ntest = false\n");
            let main = format!("use std::process::ExitCode;\n\nfn main() -> ExitCode {{\n    {run}\n}}\n");
            output.file(format!("functions/src/bin/{name}.rs"), main);
        }
    }
    output.region("functions/Cargo.toml", "binaries", entries.trim_start())
}
