//! databus.toml(5), from the file that is installed, which is the one place that explains the keys.

use crate::page::Page;

pub fn page(sample: &str) -> String {
    let mut page = Page::new("databus.toml", "5", "the configuration of databus");
    page.section("DESCRIPTION");
    let mut first = true;
    for block in sample.split("\n\n") {
        let lines: Vec<_> = block.lines().collect();
        let (mut keys, words): (Vec<&str>, Vec<&str>) =
            lines.into_iter().partition(|line| is_key(line));
        let text: Vec<_> = words
            .iter()
            .filter(|line| !line.starts_with('['))
            .map(|line| {
                line.strip_prefix("# ")
                    .unwrap_or(line.trim_start_matches('#'))
            })
            .collect();
        let text = text.join("\n").trim().to_owned();
        for section in words.iter().filter(|line| line.starts_with('[')) {
            page.section(section);
        }
        if let Some(at) = keys.iter().position(|key| key.starts_with("#[")) {
            page.section(&keys.remove(at)[1..]);
        } else if keys.is_empty() {
            if !text.is_empty() {
                if !first {
                    page.plain();
                }
                first = false;
                page.text(&text);
            }
            continue;
        }
        // What is said above several keys is about all of them.
        let keys: Vec<_> = keys.iter().map(|key| &key[1..]).collect();
        page.terms(&keys);
        page.text(&text);
    }
    page.section("FILES");
    page.text("/etc/databus/databus.toml, /etc/databus/conf.d/*.toml, /etc/databus/apps.toml, /etc/databus/credentials/");
    page.section("SEE ALSO");
    page.text("databus(1), systemd.exec(5)");
    page.render()
}

/// A key with its default, or a section that there is none of by default: `#name = value`, `#[section]`.
fn is_key(line: &str) -> bool {
    line.strip_prefix('#')
        .is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_lowercase() || c == '['))
}
