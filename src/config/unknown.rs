//! Keys that do not exist: refused with the nearest one that does.

use toml::de::{DeTable, DeValue};

use super::judge::Judge;
use super::raw;

/// Takes every key out of the table that [`raw`] does not have; each is a problem.
pub fn refuse(table: &mut DeTable<'_>, judge: &mut Judge) {
    refuse_in(table, "", judge);
    for (section, value) in table.iter_mut() {
        let DeValue::Table(inner) = value.get_mut() else {
            continue;
        };
        if section.get_ref() != "clusters" {
            refuse_in(inner, section.get_ref(), judge);
            continue;
        }
        for (name, cluster) in inner.iter_mut() {
            if let DeValue::Table(cluster) = cluster.get_mut() {
                refuse_in(cluster, &format!("clusters.{}", name.get_ref()), judge);
            }
        }
    }
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
    let near = |known: &&str| strsim::normalized_damerau_levenshtein(name, known);
    match known
        .iter()
        .copied()
        .max_by(|a, b| near(a).total_cmp(&near(b)))
    {
        Some(nearest) if near(&nearest) >= 0.5 => format!("did you mean {nearest}?"),
        _ => format!("there are {}", known.join(", ")),
    }
}
