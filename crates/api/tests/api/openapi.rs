//! The published OpenAPI document is what the code says; `UPDATE_DOCS=1` rewrites it.

use serde_json::Value;
use std::collections::BTreeSet;
use std::path::Path;

#[test]
fn openapi_is_current() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/openapi.json");
    let generated = headwater_api::openapi();
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, &generated).unwrap();
    }
    let published = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(published == generated, "docs/openapi.json is stale; run the tests with UPDATE_DOCS=1");
}

/// Every property that is always sent is required, so that clients are generated with exact types.
#[test]
fn only_fields_that_can_be_absent_are_optional() {
    let document: Value = serde_json::from_str(&headwater_api::openapi()).unwrap();
    let mut optional = Vec::new();
    for (name, schema) in document["components"]["schemas"].as_object().unwrap() {
        collect_optional(name, schema, &mut optional);
    }
    optional.sort();
    assert_eq!(optional, ["StreamPublish.cid", "VhostHls.fragment"]);
}

fn collect_optional(name: &str, schema: &Value, optional: &mut Vec<String>) {
    for part in schema["allOf"].as_array().into_iter().flatten() {
        collect_optional(name, part, optional);
    }
    let required: Vec<&str> =
        schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let properties = schema["properties"].as_object().into_iter().flatten();
    let missing = properties.map(|(key, _)| key.as_str()).filter(|key| !required.contains(key));
    optional.extend(missing.map(|key| format!("{name}.{key}")));
}

#[test]
fn everything_is_described() {
    let document: Value = serde_json::from_str(&headwater_api::openapi()).unwrap();
    let mut names = BTreeSet::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            assert!(operation["summary"].is_string(), "{method} {path} has no title");
            assert!(operation["tags"].is_array(), "{method} {path} has no tag");
            assert!(
                names.insert(operation["operationId"].as_str().unwrap().to_owned()),
                "{path} has no name of its own"
            );
        }
    }
}
