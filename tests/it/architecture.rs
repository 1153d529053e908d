//! The layering of ARCHITECTURE.md: which folders a folder may use, what the core must not name, no cycles of files.
//!
//! `cargo test architecture` shows every violation with its file. Files are parsed with syn, so that paths in comments
//! and strings do not count. An edge is a path from one file to an item of another file, outside tests. A path between
//! a module and its submodule is an edge like any other, a `mod` declaration is not. A path to a re-export leads to the
//! file that defines the item.

use proc_macro2::{TokenStream, TokenTree};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use syn::visit::{self, Visit};
use syn::{Attribute, File, Item, ItemMod, ItemUse, UseTree};

/// The folders of the service by rank, lowest first. A folder may use only folders of lower rank.
const RANKS: [&[&str]; 6] = [
    &["locks", "schema", "shutdown", "telemetry"],
    &["access", "serving", "error"],
    &["convert", "middleware"],
    &["services", "transport"],
    &["server"],
    &["cli"],
];
/// Crates and parts of std that only some folders may name. A crate stands also for those whose names begin with its
/// name, such as `tonic_types` for `tonic`.
const RESERVED: [(&str, &[&str]); 4] = [
    ("tonic", &["schema", "error", "convert", "middleware", "services", "transport", "server", "cli"]),
    ("prost", &["schema", "error", "convert", "middleware", "services", "server", "cli"]),
    ("tokio", &["schema", "middleware", "services", "transport", "server", "serving", "shutdown", "cli"]),
    ("std::fs", &["cli", "serving", "telemetry"]),
];
/// What the core must not name: crates for protobuf, networking and async code; and time, the file system, the network,
/// threads and the environment. If it needs the time or a file, the caller passes it as an argument. `std::time::self`
/// stands for `use std::time`.
const NOT_IN_THE_CORE: [&str; 16] = [
    "tonic",
    "prost",
    "tokio",
    "hyper",
    "http",
    "rustls",
    "std::fs",
    "std::net",
    "std::env",
    "std::thread",
    "std::time::*",
    "std::time::self",
    "std::time::Instant",
    "std::time::SystemTime",
    "jiff::Zoned",
    "jiff::Timestamp",
];
/// The maximum number of lines of a Rust file in `src` and `crates`.
const MAX_LINES: usize = 500;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                files.push(path);
            }
        }
    }
    files.sort();
    assert!(!files.is_empty(), "no Rust file in {}", folder.display());
    files
}

/// A module path: the name of the crate as it is written in code, then the names of the modules from the root.
type Module = Vec<String>;

/// A source file outside tests.
struct Source {
    path: PathBuf,
    /// The paths in the file, each beginning with the crate. `use` declarations are expanded.
    paths: BTreeSet<Module>,
    /// The re-exports of the file: the exported name, and the path of the item.
    exports: BTreeMap<String, Module>,
}

/// The source files of all crates of the workspace, by module.
fn sources() -> BTreeMap<Module, Source> {
    let mut crates = vec![("detente".to_owned(), root().join("src"))];
    for entry in fs::read_dir(root().join("crates")).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            crates.push((format!("detente_{}", path.file_name().unwrap().to_str().unwrap()), path.join("src")));
        }
    }
    assert!(crates.len() > 4, "crates are missing");
    let mut sources = BTreeMap::new();
    for (name, folder) in crates {
        let files = rust_files(&folder);
        let named: Vec<(Module, PathBuf)> = files
            .into_iter()
            .filter(|path| !path.components().any(|part| part.as_os_str() == "tests"))
            .filter(|path| !path.ends_with("tests.rs") && !path.ends_with("main.rs"))
            .map(|path| (module_of(&name, path.strip_prefix(&folder).unwrap()), path))
            .collect();
        let known: BTreeSet<Module> = named.iter().map(|(module, _)| module.clone()).collect();
        for (module, path) in named {
            let file = syn::parse_file(&fs::read_to_string(&path).unwrap()).unwrap();
            let (paths, exports) = read(&file, &module, &known);
            sources.insert(module, Source { path, paths, exports });
        }
    }
    sources
}

fn module_of(name: &str, within: &Path) -> Module {
    let within = within.with_extension("");
    let parts = within.components().map(|part| part.as_os_str().to_str().unwrap());
    [name].into_iter().chain(parts.filter(|part| !["lib", "mod"].contains(part))).map(str::to_owned).collect()
}

fn read(file: &File, module: &Module, known: &BTreeSet<Module>) -> (BTreeSet<Module>, BTreeMap<String, Module>) {
    let mut reader = Reader { module: module.clone(), known, paths: BTreeSet::new(), exports: BTreeMap::new() };
    reader.visit_file(file);
    (reader.paths, reader.exports)
}

struct Reader<'a> {
    module: Module,
    known: &'a BTreeSet<Module>,
    paths: BTreeSet<Module>,
    exports: BTreeMap<String, Module>,
}

impl Reader<'_> {
    /// Returns the path from the crate's root. If its first name is neither a crate nor a child module, the name is
    /// defined or imported in this file.
    fn absolute(&self, segments: &[String]) -> Module {
        let (first, rest) = segments.split_first().unwrap();
        match first.as_str() {
            "crate" => self.module[..1].iter().chain(rest).cloned().collect(),
            "self" => self.module.iter().chain(rest).cloned().collect(),
            "super" => {
                let ups = segments.iter().take_while(|segment| *segment == "super").count();
                let kept = self.module.len().saturating_sub(ups).max(1);
                self.module[..kept].iter().chain(&segments[ups..]).cloned().collect()
            }
            _ => {
                let child: Module = self.module.iter().chain([first]).cloned().collect();
                if self.known.contains(&child) {
                    child.into_iter().chain(rest.iter().cloned()).collect()
                } else {
                    segments.to_vec()
                }
            }
        }
    }

    fn name(&mut self, segments: &[String]) {
        if segments.len() > 1 {
            let path = self.absolute(segments);
            self.paths.insert(path);
        }
    }

    fn spread(&mut self, tree: &UseTree, before: &[String], is_export: bool) {
        let with = |name: &syn::Ident| before.iter().cloned().chain([name.to_string()]).collect::<Vec<_>>();
        let (segments, name) = match tree {
            UseTree::Path(path) => return self.spread(&path.tree, &with(&path.ident), is_export),
            UseTree::Group(group) => {
                return group.items.iter().for_each(|tree| self.spread(tree, before, is_export));
            }
            UseTree::Name(name) if name.ident == "self" && before == ["std", "time"] => {
                (["std", "time", "self"].map(str::to_owned).to_vec(), None)
            }
            UseTree::Name(name) if name.ident == "self" => (before.to_vec(), before.last().cloned()),
            // `use std::time` makes every item of the module reachable.
            UseTree::Name(name) if name.ident == "time" && before == ["std"] => {
                (["std", "time", "self"].map(str::to_owned).to_vec(), None)
            }
            UseTree::Name(name) => (with(&name.ident), Some(name.ident.to_string())),
            UseTree::Rename(name) => (with(&name.ident), Some(name.rename.to_string())),
            UseTree::Glob(_) => (before.iter().cloned().chain(["*".to_owned()]).collect(), None),
        };
        let path = self.absolute(&segments);
        if let (true, Some(name)) = (is_export, name) {
            self.exports.insert(name, path.clone());
        }
        self.paths.insert(path);
    }

    /// Collects the paths in the tokens of a macro call, which syn does not parse.
    fn tokens(&mut self, tokens: TokenStream) {
        let mut path: Vec<String> = Vec::new();
        let mut colons = 0;
        for token in tokens {
            match token {
                TokenTree::Ident(name) if colons == 2 => path.push(name.to_string()),
                TokenTree::Ident(name) => {
                    self.name(&std::mem::take(&mut path));
                    path.push(name.to_string());
                }
                TokenTree::Punct(punct) if punct.as_char() == ':' => {
                    colons += 1;
                    continue;
                }
                TokenTree::Group(group) => {
                    self.name(&std::mem::take(&mut path));
                    self.tokens(group.stream());
                }
                _ => self.name(&std::mem::take(&mut path)),
            }
            colons = 0;
        }
        self.name(&path);
    }
}

fn is_test(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        attribute.path().is_ident("test")
            || attribute.path().is_ident("cfg")
                && attribute.meta.require_list().is_ok_and(|list| list.tokens.to_string() == "test")
    })
}

impl<'ast> Visit<'ast> for Reader<'_> {
    fn visit_item(&mut self, item: &'ast Item) {
        let attributes = match item {
            Item::Fn(item) => &item.attrs,
            Item::Impl(item) => &item.attrs,
            Item::Mod(item) => &item.attrs,
            Item::Use(item) => &item.attrs,
            _ => return visit::visit_item(self, item),
        };
        if !is_test(attributes) {
            visit::visit_item(self, item);
        }
    }

    fn visit_item_mod(&mut self, item: &'ast ItemMod) {
        self.module.push(item.ident.to_string());
        visit::visit_item_mod(self, item);
        self.module.pop();
    }

    fn visit_item_use(&mut self, item: &'ast ItemUse) {
        let is_export = !matches!(item.vis, syn::Visibility::Inherited);
        self.spread(&item.tree, &[], is_export);
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let segments: Vec<String> = path.segments.iter().map(|segment| segment.ident.to_string()).collect();
        self.name(&segments);
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, item: &'ast syn::Macro) {
        self.visit_path(&item.path);
        self.tokens(item.tokens.clone());
    }
}

/// Returns the module that defines the item of a path, following re-exports.
fn resolve(sources: &BTreeMap<Module, Source>, path: &[String]) -> Option<Module> {
    let mut path = path.to_vec();
    for _ in 0..8 {
        let module =
            (1..=path.len()).rev().map(|length| path[..length].to_vec()).find(|it| sources.contains_key(it))?;
        let exported = path.get(module.len()).and_then(|name| sources[&module].exports.get(name));
        let Some(exported) = exported.filter(|exported| exported[..] != path[..]) else { return Some(module) };
        path = exported.iter().chain(&path[module.len() + 1..]).cloned().collect();
    }
    panic!("the re-exports of {} form a cycle", path.join("::"));
}

/// The edges: for each module, the modules that it uses, each with one path that uses it.
fn edges(sources: &BTreeMap<Module, Source>) -> BTreeMap<Module, BTreeMap<Module, Module>> {
    let mut edges: BTreeMap<Module, BTreeMap<Module, Module>> = BTreeMap::new();
    for (module, source) in sources {
        for path in &source.paths {
            if let Some(used) = resolve(sources, path)
                && used != *module
            {
                edges.entry(module.clone()).or_default().insert(used, path.clone());
            }
        }
    }
    edges
}

/// The cycles of the edges, each as the list of its modules.
fn cycles(edges: &BTreeMap<Module, BTreeMap<Module, Module>>) -> BTreeSet<Vec<Module>> {
    let reach = |from: &Module| {
        let (mut seen, mut pending) = (BTreeSet::new(), vec![from.clone()]);
        while let Some(at) = pending.pop() {
            let next = edges.get(&at).into_iter().flat_map(BTreeMap::keys);
            pending.extend(next.filter(|next| seen.insert((*next).clone())).cloned());
        }
        seen
    };
    let reached: BTreeMap<&Module, BTreeSet<Module>> = edges.keys().map(|module| (module, reach(module))).collect();
    let within = |module: &Module| -> Vec<Module> {
        reached[module]
            .iter()
            .filter(|other| reached.get(other).is_some_and(|back| back.contains(module)))
            .cloned()
            .collect()
    };
    edges.keys().filter(|module| reached[*module].contains(*module)).map(within).collect()
}

#[test]
fn files_form_no_dependency_cycles() {
    let sources = sources();
    let edges = edges(&sources);
    assert!(edges.len() > 100, "only {} files use other files, so some files were not read", edges.len());
    let mut report = String::new();
    for cycle in cycles(&edges) {
        report += "cycle:\n";
        for file in &cycle {
            for (used, path) in edges[file].iter().filter(|(used, _)| cycle.contains(used)) {
                report += &format!("  {} -> {} ({})\n", file.join("::"), used.join("::"), path.join("::"));
            }
        }
    }
    assert!(report.is_empty(), "{report}");
}

/// Returns the rule that a path in a module violates; `None` if it violates none.
fn violation(module: &[String], path: &[String]) -> Option<String> {
    let text = path.join("::");
    let opens_with =
        |word: &str| text.strip_prefix(word).is_some_and(|rest| rest.is_empty() || rest.starts_with(['_', ':']));
    if module[0] != "detente" {
        return NOT_IN_THE_CORE.into_iter().find(|word| opens_with(word)).map(|word| format!("names {word}"));
    }
    let folder = module.get(1)?.as_str();
    let reserved = RESERVED.into_iter().find(|(word, owners)| opens_with(word) && !owners.contains(&folder));
    if let Some((word, _)) = reserved {
        return Some(format!("names {word}"));
    }
    let used = path.get(1).filter(|_| path[0] == "detente")?.as_str();
    let rank = |folder: &str| RANKS.iter().position(|folders| folders.contains(&folder));
    if rank(folder).is_none() {
        return Some(format!("{folder} has no rank"));
    }
    let Some(used_rank) = rank(used) else { return Some(format!("uses {used}, which has no rank")) };
    (used != folder && Some(used_rank) >= rank(folder)).then(|| format!("uses {used}"))
}

#[test]
fn folders_use_only_folders_of_lower_rank() {
    let mut faults = Vec::new();
    for (module, source) in sources() {
        let found = source.paths.iter().filter_map(|path| Some((path, violation(&module, path)?)));
        faults.extend(found.map(|(path, fault)| format!("{}: {} {fault}", source.path.display(), path.join("::"))));
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// The violations that a source text would contain if it were the text of this module.
fn faults(module: &str, text: &str) -> Vec<String> {
    let module: Module = module.split("::").map(str::to_owned).collect();
    let (paths, _) = read(&syn::parse_file(text).unwrap(), &module, &BTreeSet::new());
    paths.iter().filter_map(|path| violation(&module, path)).collect()
}

#[test]
fn forbidden_dependencies_are_found() {
    for (module, text) in [
        ("detente_core::engine", "use std::{fmt, fs};"),
        ("detente_core::engine", "fn f() { let now = std::time::Instant::now(); }"),
        ("detente_condition", "use std::time::{Duration, SystemTime};"),
        ("detente_core::engine", "use std::time; fn f() { time::Instant::now(); }"),
        ("detente_core::engine", "use std::time::{self, Duration};"),
        ("detente_core::engine", "use std::time::*;"),
        ("detente_core::engine", "use ::tokio::sync::Mutex;"),
        ("detente_core::scenario", "use prost_types::Any;"),
        ("detente_analysis", "fn f(status: &tonic::Status) {}"),
        ("detente_import::genius::xml", "let_it!(std::fs::read_to_string(path));"),
        ("detente::serving", "use crate::*;"),
        ("detente::serving", "use crate::{telemetry::Metrics, server};"),
        ("detente::convert::date", "use crate::{schema::names, // below\n    services::RedLines};"),
        ("detente::serving::store", "use crate::services::RedLines;"),
        ("detente::serving::store", "fn f(error: &tonic_types::ErrorInfo) {}"),
        ("detente::serving", "fn f() { println!(\"{}\", crate::server::Settings::default()); }"),
        ("detente::services::list", "use super::super::transport::tls::Tls;"),
        ("detente::access::keys", "use tokio::sync::Mutex;"),
        ("detente::transport::tls", "fn f() { if true { std::fs::read(\"x\"); } }"),
        ("detente::telemetry", "use crate::{error::ApiError, shutdown::Drain};"),
        ("detente::attic", "use crate::schema::names;"),
    ] {
        assert!(!faults(module, text).is_empty(), "{module}: {text}");
    }
    for (module, text) in [
        ("detente::services::list", "use crate::convert::date; use tonic::Status;"),
        ("detente::serving", "#[cfg(test)] mod tests { use crate::server::Settings; }"),
        ("detente::access", "/// Not tokio::sync.\nconst TEXT: &str = \"tokio::sync\";"),
        ("detente_core::engine", "use std::time::Duration; use crate::scenario::Scenario;"),
    ] {
        assert_eq!(faults(module, text), [""; 0], "{module}: {text}");
    }
}

#[test]
fn cycles_are_found() {
    let module = |name: &str| name.split("::").map(str::to_owned).collect::<Module>();
    let edge = |from: &str, to: &str| (module(from), BTreeMap::from([(module(to), module(to))]));
    let cycle =
        BTreeMap::from([edge("a::x", "a::y"), edge("a::y", "a::z"), edge("a::z", "a::x"), edge("a::w", "a::x")]);
    assert_eq!(cycles(&cycle), BTreeSet::from([vec![module("a::x"), module("a::y"), module("a::z")]]));
    let cycles_of = |parent: &str, child: &str| {
        let known = BTreeSet::from([module("a::x"), module("a::x::y"), module("a::x::z")]);
        let texts = [("a::x", parent), ("a::x::y", child), ("a::x::z", "pub struct Z;")];
        let sources = texts.map(|(name, text)| {
            let (paths, exports) = read(&syn::parse_file(text).unwrap(), &module(name), &known);
            (module(name), Source { path: PathBuf::new(), paths, exports })
        });
        cycles(&edges(&BTreeMap::from(sources)))
    };
    let parent_and_child = BTreeSet::from([vec![module("a::x"), module("a::x::y")]]);
    assert_eq!(cycles_of("mod y; use y::f; pub struct T;", "use super::T;"), parent_and_child);
    assert_eq!(cycles_of("mod y; fn g() { y::f(); } pub struct T;", "fn f() -> crate::x::T {}"), parent_and_child);
    assert!(cycles_of("mod y; pub struct T;", "use super::T;").is_empty());
    assert!(cycles_of("mod y; mod z; pub use z::Z; use y::f;", "use super::Z;").is_empty());
}

#[test]
fn core_crates_deny_lints_against_panics() {
    let lints = [
        "expect_used",
        "indexing_slicing",
        "panic",
        "string_slice",
        "todo",
        "unimplemented",
        "unreachable",
        "unwrap_used",
    ];
    let mut count = 0;
    for entry in fs::read_dir(root().join("crates")).unwrap() {
        let library = entry.unwrap().path().join("src/lib.rs");
        let Ok(text) = fs::read_to_string(&library) else { continue };
        let denied = syn::parse_file(&text).unwrap().attrs.iter().any(|attribute| {
            let tokens = attribute.meta.require_list().map(|list| list.tokens.to_string()).unwrap_or_default();
            attribute.path().is_ident("cfg_attr")
                && tokens.starts_with("not (test) , deny")
                && lints.iter().all(|lint| tokens.contains(&format!("clippy :: {lint}")))
        });
        assert!(denied, "{} does not deny all of {}", library.display(), lints.join(", "));
        count += 1;
    }
    assert_eq!(count, 4);
}

#[test]
fn files_are_short_and_begin_with_a_module_comment() {
    let folders = ["src", "crates", "tests", "benches", "fuzz/fuzz_targets", "fuzz/examples"];
    for path in folders.iter().flat_map(|folder| rust_files(&root().join(folder))) {
        let text = fs::read_to_string(&path).unwrap();
        let within = path.strip_prefix(root()).unwrap();
        let is_source = within.starts_with("src") || within.starts_with("crates");
        let lines = text.lines().count();
        assert!(!is_source || lines <= MAX_LINES, "{} has {lines} lines; at most {MAX_LINES}", within.display());
        let is_unit_test = is_source && within.components().any(|part| part.as_os_str() == "tests");
        assert!(is_unit_test || text.starts_with("//!"), "{} does not begin with a module comment", within.display());
    }
}
