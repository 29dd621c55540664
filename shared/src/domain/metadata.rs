//! Data that teams store about an account, in three places that differ by who can write and read them:
//!
//! | place | written by | read by |
//! |---|---|---|
//! | `profile` | its owner | its owner and staff |
//! | `app` | administrators | its owner and staff |
//! | `internal` | administrators | staff |

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::Invalid;

/// Maximum size of the three places together in bytes of compact JSON: every signed-in request reads the account.
pub const MAX_METADATA: usize = 16 * 1024;
/// Maximum nesting of objects and arrays.
const MAX_DEPTH: usize = 16;

/// A JSON object. The table stores it as text, so that nothing in it has a meaning there. The text is kept as it was read:
/// serialized again, a number could have other digits, and a condition on the unchanged text would never hold.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Metadata {
    object: Map<String, Value>,
    text: String,
}

impl Default for Metadata {
    fn default() -> Self {
        Self::new(Map::new())
    }
}

impl PartialEq for Metadata {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Metadata {
    fn new(object: Map<String, Value>) -> Self {
        let text = Value::Object(object).to_string();
        // The text is what is stored.
        let object = serde_json::from_str(&text).unwrap_or_default();
        Self { object, text }
    }

    /// # Errors
    /// `too_large` beyond [`MAX_METADATA`], `too_deep` beyond 16 levels.
    pub fn parse(object: Map<String, Value>) -> Result<Self, Invalid> {
        let metadata = Self::new(object);
        if metadata.size() > MAX_METADATA {
            return Err(too_large());
        }
        if metadata.object.values().any(|value| depth(value) >= MAX_DEPTH) {
            return Err(Invalid::new("too_deep", format!("Metadata can have at most {MAX_DEPTH} levels.")));
        }
        Ok(metadata)
    }

    /// Applies a merge patch (RFC 7396): null members are removed, objects are merged, everything else is replaced.
    ///
    /// # Errors
    /// As [`Self::parse`], for the result.
    pub fn patched(&self, patch: &Map<String, Value>) -> Result<Self, Invalid> {
        let mut object = self.object.clone();
        merge(&mut object, patch);
        Self::parse(object)
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.object.is_empty()
    }

    /// Size in bytes of compact JSON; 0 for an object without members.
    #[must_use]
    pub fn size(&self) -> usize {
        if self.is_empty() { 0 } else { self.text.len() }
    }

    /// The value at a path, such as `["plan", "name"]`.
    #[must_use]
    pub fn get(&self, path: &[String]) -> Option<&Value> {
        let (last, objects) = path.split_last()?;
        let object = objects.iter().try_fold(&self.object, |object, name| object.get(name)?.as_object())?;
        object.get(last)
    }

    #[must_use]
    pub const fn as_object(&self) -> &Map<String, Value> {
        &self.object
    }
}

/// Whether the three places are too large together.
///
/// # Errors
/// `too_large` beyond [`MAX_METADATA`].
pub fn check_size<'a>(places: impl IntoIterator<Item = &'a Metadata>) -> Result<(), Invalid> {
    let size: usize = places.into_iter().map(Metadata::size).sum();
    if size > MAX_METADATA { Err(too_large()) } else { Ok(()) }
}

fn too_large() -> Invalid {
    Invalid::new("too_large", "`profile`, `app` and `internal` can have at most 16 KiB of JSON together.")
}

fn merge(object: &mut Map<String, Value>, patch: &Map<String, Value>) {
    for (name, value) in patch {
        match value {
            Value::Null => {
                object.remove(name);
            }
            Value::Object(patch) => {
                let member = object.entry(name).or_insert_with(|| Value::Object(Map::new()));
                if !member.is_object() {
                    *member = Value::Object(Map::new());
                }
                if let Value::Object(member) = member {
                    merge(member, patch);
                }
            }
            value => {
                object.insert(name.clone(), value.clone());
            }
        }
    }
}

fn depth(value: &Value) -> usize {
    match value {
        Value::Array(values) => 1 + values.iter().map(depth).max().unwrap_or_default(),
        Value::Object(members) => 1 + members.values().map(depth).max().unwrap_or_default(),
        _ => 0,
    }
}

impl From<Metadata> for String {
    fn from(metadata: Metadata) -> Self {
        metadata.text
    }
}

impl TryFrom<String> for Metadata {
    type Error = serde_json::Error;

    fn try_from(text: String) -> Result<Self, serde_json::Error> {
        Ok(Self { object: serde_json::from_str(&text)?, text })
    }
}

/// The unique ID of an account in another system of the team: 1 to 128 visible ASCII characters.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ExternalId(String);

impl ExternalId {
    /// # Errors
    /// `invalid_external_id` for anything else.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        if (1..=128).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Ok(Self(text.to_owned()));
        }
        Err(Invalid::new("invalid_external_id", "An external ID must have 1 to 128 visible ASCII characters."))
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn metadata(value: &Value) -> Metadata {
        Metadata::parse(value.as_object().unwrap().clone()).unwrap()
    }

    /// The examples of RFC 7396, appendix A, whose target and patch are objects.
    #[test]
    fn a_merge_patch_does_what_the_rfc_shows() {
        for (target, patch, result) in [
            (json!({"a": "b"}), json!({"a": "c"}), json!({"a": "c"})),
            (json!({"a": "b"}), json!({"b": "c"}), json!({"a": "b", "b": "c"})),
            (json!({"a": "b"}), json!({"a": null}), json!({})),
            (json!({"a": "b", "b": "c"}), json!({"a": null}), json!({"b": "c"})),
            (json!({"a": ["b"]}), json!({"a": "c"}), json!({"a": "c"})),
            (json!({"a": "c"}), json!({"a": ["b"]}), json!({"a": ["b"]})),
            (json!({"a": {"b": "c"}}), json!({"a": {"b": "d", "c": null}}), json!({"a": {"b": "d"}})),
            (json!({"a": [{"b": "c"}]}), json!({"a": [1]}), json!({"a": [1]})),
            (json!({"e": null}), json!({"a": 1}), json!({"e": null, "a": 1})),
            (json!({}), json!({"a": {"bb": {"ccc": null}}}), json!({"a": {"bb": {}}})),
        ] {
            let patched = metadata(&target).patched(patch.as_object().unwrap()).unwrap();
            assert_eq!(Value::Object(patched.object), result, "{patch}");
        }
    }

    #[test]
    fn metadata_has_a_size_and_a_depth_that_it_does_not_exceed() {
        let text = |length: usize| json!({ "a": "x".repeat(length) }).as_object().unwrap().clone();
        // {"a":""} has eight.
        assert_eq!(Metadata::parse(text(MAX_METADATA - 8)).unwrap().size(), MAX_METADATA);
        assert_eq!(Metadata::parse(text(MAX_METADATA - 7)).unwrap_err().code, "too_large");
        assert_eq!(
            check_size([&metadata(&json!({ "a": "x".repeat(9000) })), &metadata(&json!({ "a": "x".repeat(9000) }))])
                .unwrap_err()
                .code,
            "too_large"
        );
        let nested = |levels: usize| (1..levels).fold(json!({}), |inner, _| json!({ "a": inner }));
        assert!(Metadata::parse(nested(16).as_object().unwrap().clone()).is_ok());
        assert_eq!(Metadata::parse(nested(17).as_object().unwrap().clone()).unwrap_err().code, "too_deep");
    }

    #[test]
    fn a_value_is_found_by_its_path() {
        let metadata = metadata(&json!({ "plan": { "name": "pro" }, "level": 3 }));
        let path = |path: &[&str]| path.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        assert_eq!(metadata.get(&path(&["plan", "name"])), Some(&json!("pro")));
        assert_eq!(metadata.get(&path(&["level"])), Some(&json!(3)));
        for missing in [&["plan", "price"][..], &["level", "name"], &["none"], &[]] {
            assert_eq!(metadata.get(&path(missing)), None, "{missing:?}");
        }
    }

    #[test]
    fn what_is_stored_is_read_again() {
        let metadata = metadata(&json!({ "": 1, "a": [null, 1.5, "ä"], "n": -9_007_199_254_740_993_i64 }));
        let item: serde_dynamo::AttributeValue = serde_dynamo::to_attribute_value(&metadata).unwrap();
        assert_eq!(serde_dynamo::from_attribute_value::<_, Metadata>(item).unwrap(), metadata);
    }

    /// 4.7e27 is printed as 4.7000000000000003e27, and that is read as 4.7e27.
    #[test]
    fn what_was_read_is_written_as_it_was_read_whatever_its_numbers() {
        for number in ["4.7e27", "0.1", "1e-7", "123456789012345678.9", "2.2250738585072014e-308"] {
            let object: Map<String, Value> = serde_json::from_str(&format!("{{\"a\":{number}}}")).unwrap();
            let stored = String::from(Metadata::parse(object).unwrap());
            let again = Metadata::try_from(stored.clone()).unwrap();
            assert_eq!(String::from(again), stored, "{number}");
        }
    }

    #[test]
    fn an_external_id_is_visible_ascii() {
        for text in ["auth0|5f7c8ec7", "00u1a2b3", &"x".repeat(128)] {
            assert_eq!(ExternalId::parse(text).unwrap().as_str(), text);
        }
        for text in ["", "a b", "ä", "a\n", &"x".repeat(129)] {
            assert!(ExternalId::parse(text).is_err(), "{text:?}");
        }
    }
}
