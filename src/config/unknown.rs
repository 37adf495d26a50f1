//! Keys that do not exist: refused with the nearest one that does.

use toml::de::{DeTable, DeValue};

use super::judge::Judge;
use super::raw;
use super::words;

/// Takes every key out of the table that [`raw`] does not have, and what is no table where a section is needed; each is a problem.
pub fn refuse(table: &mut DeTable<'_>, judge: &mut Judge) {
    refuse_in(table, "", judge);
    for (section, _) in raw::sections() {
        let section = section.trim_end_matches(".*");
        let needed = match section {
            "clusters" => "a section [clusters.NAME] for each cluster".to_owned(),
            section => format!("a section [{section}]"),
        };
        let Some(inner) = table_at(table, section, section, &needed, judge) else {
            continue;
        };
        if section != "clusters" {
            refuse_in(inner, section, judge);
            continue;
        }
        refuse_nameless(inner, judge);
        let names: Vec<String> = inner
            .keys()
            .map(|name| name.get_ref().to_string())
            .collect();
        for name in names {
            let path = format!("clusters.{name}");
            let needed = format!("a section [{path}]");
            if let Some(cluster) = table_at(inner, &name, &path, &needed, judge) {
                refuse_in(cluster, &path, judge);
            }
        }
    }
}

/// The table with this name. Anything else by this name is a problem, and is taken out: serde would fill a section from a list.
fn table_at<'t, 's>(
    table: &'t mut DeTable<'s>,
    name: &str,
    path: &str,
    needed: &str,
    judge: &mut Judge,
) -> Option<&'t mut DeTable<'s>> {
    let found = table.get(name)?;
    if !matches!(found.get_ref(), DeValue::Table(_)) {
        let at = found.span().start;
        judge.problem(path, at, words::needed(needed, found.get_ref()));
        table.remove(name);
        return None;
    }
    match table.get_mut(name)?.get_mut() {
        DeValue::Table(inner) => Some(inner),
        _ => None,
    }
}

/// `[clusters]` with the keys of a cluster in it: its name was forgotten.
fn refuse_nameless(clusters: &mut DeTable<'_>, judge: &mut Judge) {
    let keys = raw::cluster_keys();
    let is_value = |value: &DeValue<'_>| !matches!(value, DeValue::Table(_));
    let Some(at) = clusters.iter().find_map(|(key, value)| {
        (keys.contains(&&**key.get_ref()) && is_value(value.get_ref())).then(|| key.span().start)
    }) else {
        return;
    };
    keys.iter().for_each(|key| drop(clusters.remove(*key)));
    judge.problem(
        "clusters",
        at,
        "this cluster has no name: write [clusters.NAME] instead of [clusters], where NAME is what apps have as their cluster",
    );
}

fn refuse_in(table: &mut DeTable<'_>, section: &str, judge: &mut Judge) {
    let kind = if section.starts_with("clusters.") {
        "clusters.*"
    } else {
        section
    };
    let Some((_, known)) = raw::sections().into_iter().find(|(name, _)| *name == kind) else {
        return;
    };
    let unknown = table
        .keys()
        .filter(|key| !known.contains(&&**key.get_ref()));
    let unknown: Vec<(String, usize)> = unknown
        .map(|key| (key.get_ref().to_string(), key.span().start))
        .collect();
    for (name, at) in unknown {
        table.remove(name.as_str());
        let path = if section.is_empty() {
            name.clone()
        } else {
            format!("{section}.{name}")
        };
        judge.problem(
            &path,
            at,
            format_args!("unknown key: {}", advice(&name, kind, known)),
        );
    }
}

fn advice(name: &str, section: &str, known: &[&str]) -> String {
    if let Some((place, _)) = raw::sections()
        .into_iter()
        .find(|(other, keys)| *other != section && keys.contains(&name))
    {
        return match place {
            "" => {
                format!("[{name}] is a section of its own: write it before or behind this section")
            }
            place => format!("it belongs into [{}]", place.replace('*', "NAME")),
        };
    }
    match nearest(name, known.iter().copied()) {
        Some(nearest) => format!("did you mean {nearest}?"),
        None => format!("there are {}", known.join(", ")),
    }
}

/// The one of the known names that may be meant, if any is near enough.
pub fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let near = |known: &str| strsim::normalized_damerau_levenshtein(name, known);
    known
        .max_by(|a, b| near(a).total_cmp(&near(b)))
        .filter(|nearest| near(nearest) >= 0.5)
}
