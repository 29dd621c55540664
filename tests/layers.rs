//! Which files of `shared` may import which: `domain` imports itself alone, and no files import each other in a circle.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// What `domain` may import beside itself: where time and randomness come from.
const GROUND: [&str; 2] = ["clock", "random"];

/// A file of `shared/src`: what it imports, as paths from the root, and what it passes on from others.
struct Module {
    imports: BTreeSet<Vec<String>>,
    reexports: BTreeMap<String, Vec<String>>,
}

/// Every file by the path of its module; the root's is empty.
type Modules = BTreeMap<Vec<String>, Module>;

fn modules() -> Modules {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("shared/src");
    let mut modules = Modules::new();
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let name = module_of(path.strip_prefix(&root).unwrap());
                let module = read(&name, &std::fs::read_to_string(&path).unwrap());
                modules.insert(name, module);
            }
        }
    }
    modules
}

/// `store/mod.rs` is `store`, `store/keys.rs` is `store::keys`, `lib.rs` is the root.
fn module_of(file: &Path) -> Vec<String> {
    let path: PathBuf = file.with_extension("");
    let mut segments: Vec<String> = path.iter().map(|part| part.to_str().unwrap().to_owned()).collect();
    segments.pop_if(|last| last == "mod" || last == "lib");
    segments
}

/// Reads a file without its comments and its tests.
fn read(name: &[String], text: &str) -> Module {
    let mut module = Module { imports: BTreeSet::new(), reexports: BTreeMap::new() };
    let text = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
    let mut lines = text.lines().filter(|line| !line.trim_start().starts_with("//"));
    while let Some(line) = lines.next() {
        let Some((before, tree)) = line.split_once("use ").filter(|(before, _)| is_visibility(before.trim())) else {
            module.imports.extend(paths_in(line).filter_map(|path| absolute(name, path)));
            continue;
        };
        let mut tree = tree.to_owned();
        while !tree.ends_with(';') {
            tree.push_str(lines.next().unwrap().trim());
        }
        for (path, alias) in leaves("", tree.trim_end_matches(';')) {
            let target = absolute(name, &path);
            if !before.trim().is_empty() {
                module.reexports.insert(alias, target.clone().unwrap_or_else(|| child(name, &path)));
            }
            module.imports.extend(target);
        }
    }
    module
}

fn is_visibility(text: &str) -> bool {
    ["", "pub", "pub(crate)", "pub(super)"].contains(&text)
}

/// Paths in the code itself. A file that calls its own children by their names does not count: that is what modules are for.
fn paths_in(line: &str) -> impl Iterator<Item = &str> {
    let starts = ["crate::", "super::"].into_iter().flat_map(|start| line.match_indices(start));
    starts.map(|(at, _)| {
        let path = &line[at..];
        let end = path.find(|c: char| !c.is_alphanumeric() && !"_:".contains(c)).unwrap_or(path.len());
        path[..end].trim_end_matches(':')
    })
}

/// The paths of a `use`, with the name that each has afterwards.
fn leaves(prefix: &str, tree: &str) -> Vec<(String, String)> {
    let tree = tree.trim();
    let Some((before, inside)) = tree.split_once('{') else {
        let (path, alias) = tree.split_once(" as ").unwrap_or((tree, tree.rsplit("::").next().unwrap()));
        let path = format!("{prefix}{path}");
        return vec![(path.strip_suffix("::self").unwrap_or(&path).to_owned(), alias.trim().to_owned())];
    };
    let inside = inside.trim_end().strip_suffix('}').unwrap();
    let (mut depth, mut parts) = (0_usize, vec![String::new()]);
    for character in inside.chars() {
        match character {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(String::new());
                continue;
            }
            _ => {}
        }
        parts.last_mut().unwrap().push(character);
    }
    let prefix = format!("{prefix}{before}");
    parts.iter().filter(|part| !part.trim().is_empty()).flat_map(|part| leaves(&prefix, part)).collect()
}

/// A path from the root; `None` for what is of another crate or of a child.
fn absolute(module: &[String], path: &str) -> Option<Vec<String>> {
    let mut segments = path.split("::").peekable();
    let mut base = module.to_vec();
    match segments.next()? {
        "crate" => base.clear(),
        "self" => {}
        "super" => {
            base.pop();
            while segments.next_if_eq(&"super").is_some() {
                base.pop();
            }
        }
        _ => return None,
    }
    Some(base.into_iter().chain(segments.map(ToOwned::to_owned)).collect())
}

fn child(module: &[String], path: &str) -> Vec<String> {
    module.iter().cloned().chain(path.split("::").map(ToOwned::to_owned)).collect()
}

/// The module of the file that a path leads to, through what others pass on.
fn file_of(modules: &Modules, path: &[String]) -> Vec<String> {
    let depth = (0..=path.len()).rev().find(|depth| modules.contains_key(&path[..*depth])).unwrap();
    let (file, item) = path.split_at(depth);
    match item.first().and_then(|item| modules[file].reexports.get(item)) {
        Some(target) => file_of(modules, target),
        None => file.to_vec(),
    }
}

/// The files that each file imports from.
fn edges(modules: &Modules) -> BTreeMap<String, BTreeSet<String>> {
    let name = |module: &[String]| if module.is_empty() { "lib".to_owned() } else { module.join("/") };
    let known = |(file, module): (&Vec<String>, &Module)| {
        let targets = module.imports.iter().map(|path| file_of(modules, path)).filter(|target| target != file);
        (name(file), targets.map(|target| name(&target)).collect())
    };
    modules.iter().map(known).collect()
}

fn reached(edges: &BTreeMap<String, BTreeSet<String>>, from: &str) -> BTreeSet<String> {
    let (mut seen, mut next) = (BTreeSet::new(), vec![from.to_owned()]);
    while let Some(file) = next.pop() {
        next.extend(edges[&file].iter().filter(|file| seen.insert((*file).clone())).cloned());
    }
    seen
}

#[test]
fn the_domain_imports_only_the_domain() {
    for (file, module) in modules().iter().filter(|(file, _)| file.first().is_some_and(|first| first == "domain")) {
        for import in &module.imports {
            let allowed = import[0] == "domain" || GROUND.contains(&import[0].as_str());
            assert!(allowed, "{} imports {}", file.join("/"), import.join("::"));
        }
    }
}

#[test]
fn no_files_of_shared_import_each_other_in_a_circle() {
    let edges = edges(&modules());
    let reached: BTreeMap<_, _> = edges.keys().map(|file| (file, reached(&edges, file))).collect();
    let in_circles: Vec<_> = edges.keys().filter(|file| reached[file].contains(*file)).collect();
    let ties = in_circles.iter().map(|file| {
        let ties: Vec<_> = edges[*file].iter().filter(|other| reached[other].contains(*file)).cloned().collect();
        format!("{file} imports {}", ties.join(", "))
    });
    assert!(in_circles.is_empty(), "circles of files:\n{}", ties.collect::<Vec<_>>().join("\n"));
}
