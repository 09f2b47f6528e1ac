//! The pause before another attempt: exponential, with a bound, and with jitter so that jobs that failed together do not come back
//! together.

/// Seconds to wait after attempt number `attempt` (from 1) has failed.
///
/// `base` seconds after the first, twice as long after each further one, at most `most`; of that a part between one half and the whole
/// is taken, which `random` (from 0 to 1) chooses. Numbers that are out of range are taken as the nearest that is in it, so the
/// answer is always finite and between 0 and `most`.
pub fn pause(attempt: i32, base: f64, most: f64, random: f64) -> f64 {
    let most = if most.is_finite() { most.max(0.0) } else { 0.0 };
    let base = if base.is_finite() { base.clamp(0.0, most) } else { most };
    let doublings = (attempt.max(1) - 1).min(64);
    let whole = (base * 2f64.powi(doublings)).min(most);
    let random = if random.is_finite() { random.clamp(0.0, 1.0) } else { 1.0 };
    whole * (0.5 + random / 2.0)
}
