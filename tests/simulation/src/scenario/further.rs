//! Faults beside the ordered ones, tasks that hang for hours, slow connections, nights.

use rand::Rng;
use rand::rngs::StdRng;

use super::{Action, Disturbance, Flavor, Timed};

const SECOND: i64 = 1000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;

/// What a scenario has beside its flavor.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Further {
    /// The longest that a connection takes to be made, in milliseconds.
    pub connect: u64,
    /// Tasks hang for hours.
    pub holds: bool,
    /// How long after 09:00 the play begins, in milliseconds.
    pub later: i64,
}

impl Further {
    pub(super) fn draw(random: &mut StdRng, flavor: Flavor) -> Self {
        // A process that is stopped between its last look and its first byte is the exception to every promise.
        let connect = random.random_bool(0.5) && flavor.people && !flavor.crashes;
        let holds = random.random_bool(0.25) && !flavor.faults && !flavor.mass;
        let later = random.random_bool(0.3).then(|| random.random_range(0..24 * HOUR));
        Self { connect: if connect { 2_000 } else { 0 }, holds, later: later.unwrap_or(0) }
    }
}

/// What else happens.
pub(super) fn disturb(
    random: &mut StdRng,
    flavor: Flavor,
    further: Further,
    links: usize,
    length: i64,
    sends: &[Timed],
) -> Vec<Timed> {
    let mut actions = Vec::new();
    let mut add = |at: i64, what: Action| actions.push(Timed { at, what });
    if flavor.faults || flavor.access {
        let mut at = random.random_range(0..60 * MINUTE);
        while at < length {
            let count = random.random_range(1..4);
            add(
                at,
                Action::More(match random.random_range(0..7) {
                    0 => Disturbance::Reads500(count),
                    1 => Disturbance::ReadsHtml(count),
                    2 => Disturbance::Tokens500(random.random_range(1..15)),
                    3 => Disturbance::Unavailable(random.random_range(SECOND..20 * MINUTE)),
                    4 => Disturbance::Unauthorized(count),
                    5 => Disturbance::TasksForgotten,
                    _ => Disturbance::ReadsReset(count),
                }),
            );
            if random.random_bool(0.5) {
                add(at, Action::RevokeTokens);
            }
            add(at + random.random_range(MINUTE..30 * MINUTE), Action::Mend);
            at += random.random_range(10 * MINUTE..60 * MINUTE);
        }
    }
    if flavor.faults {
        // At the moment at which something is sent, so that they strike.
        for send in sends.iter().filter(|timed| matches!(timed.what, Action::Send(_))) {
            if !random.random_bool(0.1) {
                continue;
            }
            let count = random.random_range(1..4);
            add(
                send.at - 1,
                Action::More(match random.random_range(0..10) {
                    0 => Disturbance::ResetBefore(count),
                    1 => Disturbance::ResetAfter(count),
                    2 => Disturbance::Html500Before(count),
                    3 => Disturbance::Html500After(count),
                    4 => Disturbance::NoTaskId(count),
                    5 => Disturbance::TaskErrors(count),
                    6 => Disturbance::TaskNgs(1),
                    7 => Disturbance::Conflicts(1),
                    8 => Disturbance::SlowAnswers(count, random.random_range(1..40_000)),
                    _ => Disturbance::MembersCut(count),
                }),
            );
        }
    }
    if further.holds {
        let at = random.random_range(0..length / 2);
        add(at, Action::More(Disturbance::TasksHang(true)));
        add(at + random.random_range(65 * MINUTE..130 * MINUTE), Action::More(Disturbance::TasksHang(false)));
    }
    if further.connect > 0 {
        let mut free = 0;
        for send in sends.iter().filter(|timed| matches!(timed.what, Action::Send(_))) {
            if send.at < free || !random.random_bool(0.2) {
                continue;
            }
            let link = random.random_range(0..links);
            add(send.at + random.random_range(0..1_500), Action::Pause(link));
            add(send.at + random.random_range(20 * SECOND..5 * MINUTE), Action::Resume(link));
            free = send.at + 10 * MINUTE;
        }
        for _ in 0..random.random_range(0..4) {
            add(random.random_range(0..length), Action::Stop(random.random_range(0..8)));
        }
    }
    actions
}
