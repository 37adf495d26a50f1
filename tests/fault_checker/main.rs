//! The checker of `scripts/faults`, checked: a correct history passes, and each seeded violation is found, by the rule that is meant.

#[path = "../faults/checker/mod.rs"]
mod checker;
#[path = "../faults/history.rs"]
#[allow(dead_code)]
mod history;

mod generate;
mod seeded;
#[path = "../faults/twins.rs"]
mod tell_twins;
mod twins;

use checker::check;
use generate::generate;

#[test]
fn correct_histories_pass() {
    for seed in 0..100 {
        let evidence = generate(seed);
        let found = check(&evidence);
        assert!(found.is_empty(), "seed {seed}: {}", found[0]);
        assert!(evidence.sets.len() > 100 && evidence.reads.len() > 20);
    }
}
