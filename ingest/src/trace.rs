//! W3C trace context: a delivery belongs to its sender's trace, or starts one.

/// Random bits, handed in.
pub type Randomness = dyn Fn() -> u128 + Send + Sync;

/// The `traceparent` of what follows from a request: the trace of `incoming` if that is one, and a span of our own.
#[must_use]
pub fn continue_trace(incoming: Option<&str>, random: &Randomness) -> String {
    let bits = random();
    let span = u64::try_from(bits >> 64).unwrap_or(1).max(1);
    match incoming.and_then(read) {
        Some((trace, flags)) => format!("00-{trace}-{span:016x}-{flags}"),
        None => format!("00-{:032x}-{span:016x}-00", random().max(1)),
    }
}

/// Trace id and flags of a well-formed header of version 00.
fn read(header: &str) -> Option<(&str, &str)> {
    let hex = |text: &str, length: usize| {
        text.len() == length && text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
    };
    let some = |text: &str| text.bytes().any(|byte| byte != b'0');
    let mut parts = header.split('-');
    let (version, trace, span, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let whole = version == "00" && parts.next().is_none();
    let formed = hex(trace, 32) && some(trace) && hex(span, 16) && some(span) && hex(flags, 2);
    (whole && formed).then_some((trace, flags))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn a_senders_trace_goes_on_in_a_span_of_our_own() {
        let next = continue_trace(Some(SENT), &|| 7 << 64);
        assert_eq!(next, "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000007-01");
    }

    #[test]
    fn what_is_no_trace_starts_a_new_one() {
        let bad = [
            "",
            "00",
            "x",
            "00-0-0-0",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
        ];
        for header in bad.into_iter().map(Some).chain([None]) {
            let next = continue_trace(header, &|| 3);
            assert_eq!(next, "00-00000000000000000000000000000003-0000000000000001-00", "{header:?}");
            assert!(read(&next).is_some());
        }
    }
}
