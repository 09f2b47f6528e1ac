//! The pause before another attempt.

use fluxbase_schedule::pause;
use proptest::prelude::*;

#[test]
fn it_doubles_up_to_the_bound() {
    let longest = |attempt| pause(attempt, 5.0, 60.0, 1.0);
    assert_eq!([1, 2, 3, 4, 5, 100].map(longest), [5.0, 10.0, 20.0, 40.0, 60.0, 60.0]);
    let shortest = |attempt| pause(attempt, 5.0, 60.0, 0.0);
    assert_eq!([1, 2, 3, 4, 5, 100].map(shortest), [2.5, 5.0, 10.0, 20.0, 30.0, 30.0]);
    assert_eq!(pause(1, 0.0, 600.0, 0.7), 0.0);
}

proptest! {
    #[test]
    fn it_stays_within_its_bounds(attempt in any::<i32>(), base in any::<f64>(), most in any::<f64>(), random in any::<f64>()) {
        let pause = pause(attempt, base, most, random);
        prop_assert!(pause.is_finite() && pause >= 0.0);
        if most.is_finite() && most >= 0.0 {
            prop_assert!(pause <= most);
        }
    }

    /// Later attempts never wait less than half of what an earlier one may.
    #[test]
    fn it_grows(attempt in 1..60, base in 0.0..1000f64, most in 0.0..100_000f64, random in 0.0..1f64) {
        let most = most.max(base);
        prop_assert!(pause(attempt + 1, base, most, random) >= pause(attempt, base, most, random));
        prop_assert!(pause(attempt, base, most, random) >= pause(attempt, base, most, 1.0) / 2.0);
    }
}
