//! docs/scenario.schema.json, which editors use, is the schema that is generated from the declarations of the
//! scenario reader.

#[test]
fn the_committed_schema_is_the_generated_one() {
    let kept = include_str!("../../../docs/scenario.schema.json");
    let generated = serde_json::to_string_pretty(&detente_core::scenario::schema()).unwrap() + "\n";
    assert!(kept == generated, "run: detente schema > docs/scenario.schema.json");
}
