//! Writes the tree of a generated scenario file as YAML in two styles, which differ in spelling but not in content.

use super::Node;
use std::fmt::Write;

fn is_plain(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte))
}

pub(super) fn inline(node: &Node) -> String {
    let joined = |parts: Vec<String>| parts.join(", ");
    match node {
        Node::Map(entries) => {
            format!("{{{}}}", joined(entries.iter().map(|(key, node)| format!("{key}: {}", inline(node))).collect()))
        }
        Node::List(items) => format!("[{}]", joined(items.iter().map(inline).collect())),
        Node::Word(word) => word.clone(),
        Node::Text(text) if is_plain(text) => text.clone(),
        Node::Text(text) => format!("'{}'", text.replace('\'', "''")),
        Node::Decimal(hundredths) => shortest(*hundredths),
    }
}

/// A decimal without superfluous digits: `0.5`, `-2`, `1.25`.
fn shortest(hundredths: i64) -> String {
    let full = padded(hundredths);
    full.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// A decimal with two digits after the point: `0.50`, `-2.00`, `1.25`.
fn padded(hundredths: i64) -> String {
    let sign = if hundredths < 0 { "-" } else { "" };
    format!("{sign}{}.{:02}", hundredths.abs() / 100, hundredths.abs() % 100)
}

/// Writes the number that [`shortest`] also writes, but in one of five other ways.
fn ornate(hundredths: i64) -> String {
    let padded = padded(hundredths);
    match hundredths.rem_euclid(5) {
        0 => padded,
        1 => padded + "0",
        2 if hundredths > 0 => format!("+{padded}"),
        3 if (1..100).contains(&hundredths) => padded.trim_start_matches('0').to_owned(),
        _ => match padded.strip_prefix('-') {
            Some(positive) => format!("-0{positive}"),
            None => format!("0{padded}"),
        },
    }
}

/// Writes a map with a line for each key, the last key first.
pub(super) fn block(entries: &[(String, Node)], depth: usize, out: &mut String) {
    let indent = "  ".repeat(depth);
    for (key, node) in entries.iter().rev() {
        let _ = write!(out, "{indent}{key}:");
        below(node, depth + 1, out);
    }
}

fn below(node: &Node, depth: usize, out: &mut String) {
    let indent = "  ".repeat(depth);
    match node {
        Node::Map(entries) if is_ordered(entries) => {
            out.push('\n');
            for (key, node) in entries {
                let _ = write!(out, "{indent}{key}:");
                below(node, depth + 1, out);
            }
        }
        Node::Map(entries) => {
            out.push('\n');
            block(entries, depth, out);
        }
        Node::List(items) if items.is_empty() => out.push_str(" []\n"),
        Node::List(items) => {
            out.push('\n');
            for item in items {
                match item {
                    Node::Map(entries) => {
                        let _ = writeln!(out, "{indent}-  # an entry");
                        block(entries, depth + 1, out);
                    }
                    _ => {
                        let _ = write!(out, "{indent}-");
                        below(item, depth + 1, out);
                    }
                }
            }
        }
        Node::Word(word) => {
            let _ = writeln!(out, " {word}   # a remark");
        }
        Node::Text(text) => {
            let _ = writeln!(out, " \"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""));
        }
        Node::Decimal(hundredths) => {
            let _ = writeln!(out, " {}", ornate(*hundredths));
        }
    }
}

/// Whether the order of a map's keys is part of its content. This is so for the terms of a proposal and for a map that
/// gives each option a value.
fn is_ordered(entries: &[(String, Node)]) -> bool {
    entries.iter().all(|(key, _)| ["issue_", "option", "true", "false"].iter().any(|begin| key.starts_with(begin)))
}
