//! What serde says of a value of a wrong type, in an operator's words.

use toml::de::DeValue;

/// `message` is serde's of `found`. Repeats no value, which may be a secret where it is not the key's.
pub fn of_wrong_type(found: &DeValue<'_>, message: &str) -> String {
    if let Some(rest) = message.strip_prefix("unknown variant ") {
        let words = rest.replace(", expected one of ", " is none of ");
        return words.replace('`', "\"");
    }
    let behind = message.rsplit_once(", expected ").map(|(_, text)| text);
    let Some(expected) = behind.or(message.strip_prefix("wanted ")) else {
        return message.to_owned();
    };
    let expected = match expected {
        "a string" if matches!(found, DeValue::Array(_)) => {
            return "each entry of the list must be a text in quotes".to_owned();
        }
        "a string" | "string or table" => "a text in quotes".to_owned(),
        "a sequence" => "a list of texts, in brackets,".to_owned(),
        text => text.to_owned(),
    };
    needed(&expected, found)
}

/// `expected` should stand where `found` does.
pub fn needed(expected: &str, found: &DeValue<'_>) -> String {
    format!("{expected} is needed here, not {}", kind(found))
}

fn kind(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a text",
        DeValue::Integer(_) => "a number",
        DeValue::Float(_) => "a number with a fraction",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}
