//! Deliberate faults, to show that the simulation finds them.
//!
//! With the cargo feature `broken`, which nothing that is shipped switches on, one fault at a time can be put into the
//! running process. Without it [`is`] is a constant and the compiler drops the fault.

/// Something that a careless change could break.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Broken {
    /// The budget has six slots.
    SixSlots = 1,
    /// A slot is counted from the send instead of from the answer.
    SlotFromTheSend,
    /// Who takes an account over does not know the calls of the one before.
    SlotsForgotten,
    /// A second connection's calls do not count for the account.
    SharedKeyNotCounted,
    /// The interval between two POSTs is twice as long.
    HiresWait,
    /// An older version wins when it comes later.
    NoVersionGuard,
    /// Of two contents with one version the first one wins.
    EqualVersionReversed,
    /// A delivery that is repeated counts as new.
    DuplicateAsNew,
    /// What came before the first activation is sent.
    BaselineSent,
    /// A landing does not look whether something newer came.
    LandingIgnoresNewer,
    /// Events that come do not wake the account they are for.
    LostWakeUp,
    /// A paused connection's changes go on.
    PauseLeaks,
    /// Who lost the lease goes on writing.
    StaleLeaseWrites,
    /// One bad record parks its whole call.
    NgParksAll,
    /// A named record is parked without a try of its own.
    NamedNotRetried,
    /// A PATCH carries all mapped fields.
    PatchOfEverything,
    /// A PATCH is made though nothing differs.
    PatchOfNothing,
    /// A POST without an answer is made again at once.
    PostAgain,
    /// A POST without an answer counts as accepted.
    UnknownIsOk,
    /// After a PATCH without an answer its fields count as before.
    UncertainForgotten,
    /// A task that broke counts as done.
    ErrorIsOk,
    /// The target filter is not looked at.
    FilterIgnored,
    /// 応募者 are sent.
    ApplicantSent,
    /// A field that is to be kept is cleared.
    KeptCleared,
    /// The brake is not looked at.
    BrakeIgnored,
    /// What was held or declined goes out with the next look.
    HeldGoesOut,
    /// A token is fetched for every call.
    TokenForEveryCall,
    /// A mail that the mail server took is not noted as sent.
    DoubleMail,
    /// A mail that the mail server does not take now is given up.
    MailLost,
    /// A later mail of an episode tells of everybody once more.
    DigestWithoutNews,
    /// Tasks are looked at every second, however many calls the hour has had.
    PollEverySecond,
    /// A token fetch that failed does not count for the hour.
    FailedTokensNotCounted,
    /// An answer 5xx makes the connection stop.
    HaltOn500,
    /// Somebody whose lone call fails once is parked.
    ParkOnFirst5xx,
    /// A pause answers while a call that was reserved before may still start.
    PauseDoesNotWait,
}

impl Broken {
    /// All of them.
    pub const ALL: [Broken; 35] = [
        Self::SixSlots,
        Self::SlotFromTheSend,
        Self::SlotsForgotten,
        Self::SharedKeyNotCounted,
        Self::HiresWait,
        Self::NoVersionGuard,
        Self::EqualVersionReversed,
        Self::DuplicateAsNew,
        Self::BaselineSent,
        Self::LandingIgnoresNewer,
        Self::LostWakeUp,
        Self::PauseLeaks,
        Self::StaleLeaseWrites,
        Self::NgParksAll,
        Self::NamedNotRetried,
        Self::PatchOfEverything,
        Self::PatchOfNothing,
        Self::PostAgain,
        Self::UnknownIsOk,
        Self::UncertainForgotten,
        Self::ErrorIsOk,
        Self::FilterIgnored,
        Self::ApplicantSent,
        Self::KeptCleared,
        Self::BrakeIgnored,
        Self::HeldGoesOut,
        Self::TokenForEveryCall,
        Self::DoubleMail,
        Self::MailLost,
        Self::DigestWithoutNews,
        Self::PollEverySecond,
        Self::FailedTokensNotCounted,
        Self::HaltOn500,
        Self::ParkOnFirst5xx,
        Self::PauseDoesNotWait,
    ];
}

#[cfg(feature = "broken")]
mod switch {
    use std::sync::atomic::{AtomicU8, Ordering};

    use super::Broken;

    static NOW: AtomicU8 = AtomicU8::new(0);

    /// Whether this fault is in the process now.
    #[must_use]
    pub fn is(which: Broken) -> bool {
        NOW.load(Ordering::SeqCst) == which as u8
    }

    /// Puts a fault into the process, or takes the last one out.
    pub fn set(which: Option<Broken>) {
        NOW.store(which.map_or(0, |which| which as u8), Ordering::SeqCst);
    }
}

#[cfg(feature = "broken")]
pub use switch::{is, set};

/// Whether this fault is in the process now: never.
#[cfg(not(feature = "broken"))]
#[must_use]
pub const fn is(_which: Broken) -> bool {
    false
}
