//! No hash, token, log line, answer or message contains `Debug` output, because renaming a type or variant, or updating a
//! crate, changes it.

use std::fs;
use std::path::{Path, PathBuf};

/// Finds all source files in and below a folder, except test modules.
fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let is_test = path.file_stem().is_some_and(|name| name == "tests");
        if path.is_dir() && !is_test {
            files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") && !is_test {
            found.push(path);
        }
    }
}

/// The lines of a source text that write `Debug` output, with their numbers. Omits comments, and the tests that follow
/// `#[cfg(test)]` at the end of a file.
fn debug_output(text: &str) -> Vec<(usize, &str)> {
    let is_debug = |line: &str| {
        // `{:?}`, `{name:#?}`, `{:02?}` in a format; `?name` or `field = ?name` in an event; the names in `by_name`.
        let in_format = line.match_indices("?}").any(|(at, _)| {
            line[..at].rsplit_once('{').is_some_and(|(_, inside)| inside.contains(':') && !inside.contains(' '))
        });
        let in_event = ["(?", ", ?", "= ?"].iter().any(|mark| {
            line.match_indices(mark)
                .any(|(at, _)| line[at + mark.len()..].starts_with(|c: char| c.is_alphabetic() || c == '_'))
        });
        let by_name = ["dbg!(", "field::debug(", "Debug::fmt(", "any::type_name", "module_path!"];
        in_format || in_event || line.trim_start().starts_with('?') || by_name.iter().any(|name| line.contains(name))
    };
    let code = text.lines().enumerate().take_while(|(_, line)| *line != "#[cfg(test)]");
    let code = code.filter(|(_, line)| !line.trim_start().starts_with("//"));
    code.filter(|(_, line)| is_debug(line)).map(|(at, line)| (at + 1, line)).collect()
}

#[test]
fn no_text_is_made_of_debug_output() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut all = Vec::new();
    files(&root.join("src"), &mut all);
    if root.join("crates").is_dir() {
        files(&root.join("crates"), &mut all);
    }
    assert!(all.len() > 50, "{all:?}");
    let mut found = String::new();
    for path in all {
        let text = fs::read_to_string(&path).unwrap();
        for (line, code) in debug_output(&text) {
            found += &format!("{}:{line}: {}\n", path.display(), code.trim());
        }
    }
    assert!(
        found.is_empty(),
        "`Debug` output in a text that leaves the program; use `Display` or an explicit text:\n{found}"
    );
}

#[test]
fn debug_output_is_found_however_it_is_written() {
    for line in [
        "format!(\"{:?}\", status)",
        "format!(\"{key:?}{falling}\")",
        "write!(f, \"{0:#?}\", self)",
        "#[error(\"not {0:?}\")]",
        "debug!(target: LOG_TARGET, ?error, \"it failed\")",
        "debug!(error = ?error)",
        "info!(?error)",
        "    ?error,",
        "dbg!(x);",
        "field::debug(x)",
        "std::any::type_name::<T>()",
    ] {
        assert_eq!(debug_output(line).len(), 1, "{line}");
    }
    for line in
        ["let x = y?;", "// {:?}", "format!(\"{}?\", x)", "names(a)?, b?)", "matches!(x, Some(y)?)", "{ read()?}"]
    {
        assert!(debug_output(line).is_empty(), "{line}");
    }
}
