//! Text as a man page has it.

use clap_mangen::roff::{Roff, bold, roman};

/// A man page that grows.
pub struct Page {
    roff: Roff,
    /// Whether what comes next is indented below a term.
    below_term: bool,
}

impl Page {
    pub fn new(name: &str, section: &str, about: &str) -> Self {
        let mut roff = Roff::new();
        let version = concat!("databus ", env!("CARGO_PKG_VERSION"));
        roff.control("TH", [name, section, "", version, ""]);
        let mut page = Self {
            roff,
            below_term: false,
        };
        page.section("NAME");
        page.roff.text([roman(format!("{name} - {about}"))]);
        page
    }

    pub fn section(&mut self, title: &str) {
        self.below_term = false;
        self.roff.control("SH", [title]);
    }

    pub fn subsection(&mut self, title: &str) {
        self.below_term = false;
        self.roff.control("SS", [title]);
    }

    /// Terms, with what follows indented below them.
    pub fn terms(&mut self, terms: &[&str]) {
        self.below_term = true;
        for (number, term) in terms.iter().enumerate() {
            self.roff.control(if number == 0 { "TP" } else { "TQ" }, []);
            self.roff.text([bold(*term)]);
        }
    }

    /// Paragraphs, separated by empty lines. Indented lines are shown as they are.
    pub fn text(&mut self, text: &str) {
        for (number, paragraph) in text.split("\n\n").enumerate() {
            if number > 0 {
                let indented = if self.below_term { "IP" } else { "PP" };
                self.roff.control(indented, []);
            }
            self.paragraph(paragraph);
        }
    }

    /// Ends what is indented below a term.
    pub fn plain(&mut self) {
        self.below_term = false;
        self.roff.control("PP", []);
    }

    fn paragraph(&mut self, paragraph: &str) {
        let mut is_example = false;
        for line in paragraph.lines() {
            let indented = line.starts_with("  ");
            if indented != is_example {
                self.roff.control(if indented { "EX" } else { "EE" }, []);
                is_example = indented;
            }
            self.roff.text([roman(line)]);
        }
        if is_example {
            self.roff.control("EE", []);
        }
    }

    pub fn render(self) -> String {
        self.roff.render()
    }
}
