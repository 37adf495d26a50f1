//! Rows of a table, which is one hash: what is scanned for and fetched.

use std::collections::BTreeSet;

use redis::aio::MultiplexedConnection;
use redis::{RedisResult, cmd};

use crate::auth::rows::{AppRow, GrantRow, Id, Text, number};

/// The ids of a table's rows: its fields `<id>_Id`. None where there is no such hash.
pub(super) async fn ids(
    connection: &mut MultiplexedConnection,
    key: &str,
) -> RedisResult<Option<BTreeSet<String>>> {
    let fields: u64 = cmd("HLEN").arg(key).query_async(connection).await?;
    if fields == 0 {
        return Ok(None);
    }
    let mut ids = BTreeSet::new();
    let mut cursor = 0u64;
    loop {
        let mut scan = cmd("HSCAN");
        scan.arg(key)
            .arg(cursor)
            .arg("MATCH")
            .arg(format!("*{ID}"))
            .arg("COUNT")
            .arg(SCAN);
        let (next, found): (u64, Vec<Text>) = scan.query_async(connection).await?;
        ids.extend(found.iter().step_by(2).filter_map(|field| id(field)));
        if next == 0 {
            return Ok(Some(ids));
        }
        cursor = next;
    }
}

fn id(field: &[u8]) -> Option<String> {
    let id = field.strip_suffix(ID.as_bytes())?;
    let digits = !id.is_empty() && id.iter().all(u8::is_ascii_digit);
    digits.then(|| String::from_utf8_lossy(id).into_owned())
}

/// The fields of these rows, one behind the other, each row's `<id>_Id` first: without that it is gone.
pub(super) async fn fetch(
    connection: &mut MultiplexedConnection,
    key: &str,
    ids: &[String],
    fields: &[&str],
) -> RedisResult<Vec<Option<Text>>> {
    let mut get = cmd("HMGET");
    get.arg(key);
    for id in ids {
        get.arg(format!("{id}{ID}"));
        for field in fields {
            get.arg(format!("{id}{field}"));
        }
    }
    get.query_async(connection).await
}

pub(super) fn app(id: Id, values: std::vec::IntoIter<Option<Text>>) -> AppRow {
    let mut values = values.map(Option::unwrap_or_default);
    let mut next = || values.next().unwrap_or_default();
    AppRow {
        id,
        key: next(),
        secret: next(),
        cluster: next(),
        deleted: false,
    }
}

pub(super) fn grant(id: Id, mut values: std::vec::IntoIter<Option<Text>>) -> GrantRow {
    let operation = values
        .next_back()
        .flatten()
        .map_or(Some(0), |text| number(&text));
    let mut values = values.map(Option::unwrap_or_default);
    let mut next = || values.next().unwrap_or_default();
    GrantRow {
        id,
        app_id: Id::new(&next()),
        group: next(),
        topic: next(),
        operation,
        deleted: false,
    }
}

const ID: &str = "_Id";
pub(super) const APP_FIELDS: [&str; 3] = ["_AppKey", "_AppSecret", "_Cluster"];
pub(super) const GRANT_FIELDS: [&str; 4] = ["_AppId", "_Group", "_Topic", "_Operation"];

/// Fields that one HSCAN looks at: about a millisecond of the server.
const SCAN: usize = 1000;
/// Rows that one HMGET fetches: about two.
pub(super) const PORTION: usize = 500;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_with_an_id() {
        assert_eq!(id(b"12_Id").as_deref(), Some("12"));
        for field in [
            &b"_Id"[..],
            b"x_Id",
            b"1_Idx",
            b"autoincr_last_id",
            b"-1_Id",
            b"\xff_Id",
            b"1_2_Id",
        ] {
            assert_eq!(id(field), None);
        }
    }
}
