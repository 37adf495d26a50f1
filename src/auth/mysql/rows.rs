//! Rows of the tables as the server gives them.

use mysql_async::consts::ColumnType;
use mysql_async::{Row, Value};

use crate::auth::rows::{AppRow, GrantRow, Id, Text, number};

pub(super) fn app(values: &mut Vec<Option<Text>>, deleted: bool) -> AppRow {
    let mut values = values.drain(..).map(Option::unwrap_or_default);
    let mut next = || values.next().unwrap_or_default();
    AppRow {
        id: Id::new(&next()),
        key: next(),
        secret: next(),
        cluster: next(),
        deleted,
    }
}

pub(super) fn grant(values: &mut Vec<Option<Text>>, deleted: bool) -> GrantRow {
    let operation = values[OPERATION]
        .take()
        .map_or(Some(0), |text| number(&text));
    let mut values = values.drain(..).map(Option::unwrap_or_default);
    let mut next = || values.next().unwrap_or_default();
    GrantRow {
        id: Id::new(&next()),
        app_id: Id::new(&next()),
        group: next(),
        topic: next(),
        operation,
        deleted,
    }
}

/// The text of each column. BIT columns come as big-endian bytes and are turned into the digits that the others come as.
pub(super) fn values(row: Row, columns: &[&(String, ColumnType)]) -> Vec<Option<Text>> {
    let values = row.unwrap_raw().into_iter().zip(columns);
    let values = values.map(|(value, (_, kind))| match value? {
        Value::Bytes(bytes) if *kind == ColumnType::MYSQL_TYPE_BIT => {
            let number = bytes
                .iter()
                .fold(0u64, |number, byte| number << 8 | u64::from(*byte));
            Some(number.to_string().into_bytes())
        }
        Value::Bytes(bytes) => Some(bytes),
        _ => None, // NULL; the text protocol has nothing else
    });
    values.collect()
}

/// Whether a `deleted_at` says more than 0: `0`, `0000-00-00 00:00:00` and the like do not.
pub(super) fn is_time(text: &[u8]) -> bool {
    !text
        .iter()
        .all(|byte| matches!(byte, b'0' | b'-' | b':' | b'.' | b' '))
}

pub(super) const APP_COLUMNS: [&str; 4] = ["id", "app_key", "app_secret", "cluster"];
pub(super) const GRANT_COLUMNS: [&str; 5] = ["id", "app_id", "group_name", "topic", "operation"];
const OPERATION: usize = 4;
pub(super) const DELETED_AT: &str = "deleted_at";
