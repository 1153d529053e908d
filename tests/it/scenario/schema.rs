//! docs/scenario.schema.json, which editors use, is the schema that is generated from the declarations of the
//! scenario reader.

use serde_json::Value;
use std::collections::BTreeSet;

#[test]
fn the_committed_schema_is_the_generated_one() {
    let kept = include_str!("../../../docs/scenario.schema.json");
    let generated = serde_json::to_string_pretty(&detente_core::scenario::schema()).unwrap() + "\n";
    assert!(kept == generated, "run: detente schema > docs/scenario.schema.json");
}

#[test]
fn the_dictionary_of_the_fuzzer_has_every_key_of_the_schema() {
    fn keys<'a>(value: &'a Value, found: &mut BTreeSet<&'a str>) {
        match value {
            Value::Object(map) => {
                let properties = map.get("properties").and_then(Value::as_object);
                found.extend(properties.into_iter().flatten().map(|(key, _)| key.as_str()));
                map.values().for_each(|value| keys(value, found));
            }
            Value::Array(items) => items.iter().for_each(|value| keys(value, found)),
            _ => {}
        }
    }
    let (schema, mut found) = (detente_core::scenario::schema(), BTreeSet::new());
    keys(&schema, &mut found);
    assert!(found.contains("red_lines"), "the schema has properties");
    let dictionary = include_str!("../../../fuzz/dictionaries/scenario.dict");
    let missing: Vec<_> = found.into_iter().filter(|key| !dictionary.contains(&format!("\"{key}: \""))).collect();
    assert_eq!(missing, [""; 0], "add these keys to fuzz/dictionaries/scenario.dict");
}
