//! Names of tables.

use crate::auth::StoreError;

/// Why a table cannot have this name.
pub(super) fn unfit(table: &str, database: Option<&str>) -> Option<&'static str> {
    let parts = table.split('.').collect::<Vec<_>>();
    if parts.len() > 2
        || parts
            .iter()
            .any(|part| part.is_empty() || part.chars().count() > 64)
    {
        return Some("is no name of a table");
    }
    if table.chars().any(|char| char == '`' || char.is_control()) {
        return Some("has characters that no table should have");
    }
    (parts.len() == 1 && database.is_none()).then_some("is in no database: the URL names none")
}

pub(super) fn quoted(table: &str) -> String {
    table
        .split('.')
        .map(quoted_part)
        .collect::<Vec<_>>()
        .join(".")
}

pub(super) fn quoted_part(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}

/// Old installations have other names for the two tables.
pub(super) fn hint(error: StoreError, table: &str) -> StoreError {
    match (error, other_name(table)) {
        (StoreError::Contents { store, why }, Some((key, name))) if why.ends_with(NO_TABLE) => {
            let why = format!(
                "{why}; where the table is called {name}, write {key} = \"{name}\" in [store]"
            );
            StoreError::Contents { store, why }
        }
        (error, _) => error,
    }
}

/// The key in `[store]` and the other usual name of a table that has a usual name.
fn other_name(table: &str) -> Option<(&'static str, String)> {
    let (database, name) = match table.rsplit_once('.') {
        Some((database, name)) => (format!("{database}."), name),
        None => (String::new(), table),
    };
    let (key, other) = match name.to_ascii_lowercase().as_str() {
        "app_tb" => ("app_table", "app"),
        "app" => ("app_table", "app_tb"),
        "auth_tb" => ("auth_table", "auth"),
        "auth" => ("auth_table", "auth_tb"),
        _ => return None,
    };
    Some((key, database + other))
}

/// How the error of a table that does not exist ends.
const NO_TABLE: &str = "(1146)";
#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_that_is_missing_may_have_its_other_name() {
        let told = |table: &str, why: &str| hint(StoreError::contents("s", why), table).to_string();
        let missing = "Table 'd.x' doesn't exist (1146)";
        for (table, key, other) in [
            ("app_tb", "app_table", "app"),
            ("app", "app_table", "app_tb"),
            ("auth_tb", "auth_table", "auth"),
            ("d.auth", "auth_table", "d.auth_tb"),
        ] {
            assert_eq!(
                told(table, missing),
                format!(
                    "s: {missing}; where the table is called {other}, write {key} = \"{other}\" in [store]"
                )
            );
        }
        assert_eq!(told("apps", missing), format!("s: {missing}"));
        assert_eq!(told("app", "syntax (1064)"), "s: syntax (1064)");
    }

    #[test]
    fn names_are_quoted() {
        assert_eq!(quoted("auth"), "`auth`");
        assert_eq!(quoted("d.auth"), "`d`.`auth`");
        assert_eq!(quoted_part("a`b"), "`a``b`");
    }
}
