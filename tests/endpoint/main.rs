//! An endpoint does what it should, whatever happens to it: proven by programs at random.

mod play;

use std::env;

use play::{Setting, Step, play};
use proptest::collection::vec;
use proptest::prelude::*;

/// So many programs, unless somebody wants more, as `make test-slow` does.
const CASES: u32 = 200;

fn config() -> ProptestConfig {
    let default = ProptestConfig::default();
    let cases = if env::var_os("PROPTEST_CASES").is_some() { default.cases } else { CASES };
    // What is found becomes a test of its own.
    ProptestConfig { cases, failure_persistence: None, ..default }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn programs_come_out_as_the_model_says(
        setting in any::<u32>().prop_map(Setting::of),
        steps in vec(any::<(u8, u16, u16)>().prop_map(|(a, b, c)| Step::of(a, b, c)), 0..80),
    ) {
        play(setting, &steps);
    }
}
