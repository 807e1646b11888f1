//! Breaks as クラウドログ takes them: inside of work, in order, not touching each other.

use crate::day::{Minutes, Span};

/// How breaks are told to クラウドログ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BreakMode {
    /// Each at its own time.
    #[default]
    Each,
    /// As one, from the start of the first, as long as all together.
    Merged,
}

/// Clips breaks to `work`, drops the empty ones and joins those that overlap or touch.
#[must_use]
pub fn inside(work: Span, breaks: &[Span]) -> Vec<Span> {
    let clipped = breaks.iter().filter_map(|span| span.common(work));
    let mut clipped: Vec<Span> = clipped.collect();
    clipped.sort_unstable();
    let mut joined: Vec<Span> = Vec::with_capacity(clipped.len());
    for span in clipped {
        match joined.last_mut() {
            Some(last) if span.from <= last.to => last.to = last.to.max(span.to),
            _ => joined.push(span),
        }
    }
    joined
}

/// Adds a break of which only the length is known, in minutes: from `at` on if that is inside of work, else in the middle of work,
/// and beside the breaks that are there. What fits nowhere in one piece is divided; what work has no room for is left out.
///
/// `breaks` are inside of work, in order and apart, and so is what comes out.
#[must_use]
pub fn with_length(work: Span, breaks: &[Span], length: i32, at: Minutes) -> Vec<Span> {
    let mut placed = breaks.to_vec();
    let mut left = length;
    while left > 0 {
        let free = free(work, &placed);
        let Some(longest) = free.iter().map(|span| span.length()).max() else { break };
        let piece = left.min(longest);
        let fits_at = at >= work.from && at.get() + piece <= work.to.get();
        let wanted = if fits_at { at.get() } else { work.from.get() + (work.length() - piece) / 2 };
        let starts = free.iter().filter(|span| span.length() >= piece).map(|span| {
            // As near as the span of free time lets it be.
            wanted.clamp(span.from.get(), span.to.get() - piece)
        });
        let Some(start) = starts.min_by_key(|start| (start - wanted).abs()) else { break };
        let (Ok(from), Ok(to)) = (Minutes::new(start), Minutes::new(start + piece)) else { break };
        placed.extend(Span::new(from, to));
        placed = inside(work, &placed);
        left -= piece;
    }
    placed
}

/// Work without its breaks.
fn free(work: Span, breaks: &[Span]) -> Vec<Span> {
    let starts = std::iter::once(work.from).chain(breaks.iter().map(|span| span.to));
    let ends = breaks.iter().map(|span| span.from).chain(std::iter::once(work.to));
    starts.zip(ends).filter_map(|(from, to)| Span::new(from, to)).collect()
}

/// Breaks that are inside of work already, in the form that is wanted.
#[must_use]
pub fn as_wanted(mode: BreakMode, work: Span, breaks: &[Span]) -> Vec<Span> {
    let (BreakMode::Merged, Some(first)) = (mode, breaks.first()) else { return breaks.to_vec() };
    let length: i32 = breaks.iter().map(|span| span.length()).sum();
    // They are apart and inside of work, so that from the first one's start their sum ends with the last one or before.
    let to = Minutes::new(first.from.get() + length).unwrap_or(work.to).min(work.to);
    Span::new(first.from, to).into_iter().collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn span(from: i32, to: i32) -> Span {
        Span { from: Minutes::new(from).unwrap(), to: Minutes::new(to).unwrap() }
    }

    fn total(breaks: &[Span]) -> i32 {
        breaks.iter().map(|span| span.length()).sum()
    }

    #[test]
    fn breaks_are_clipped_joined_and_dropped() {
        let work = span(540, 1080);
        type Pairs = &'static [(i32, i32)];
        let table: [(Pairs, Pairs); 6] = [
            (&[(720, 780)], &[(720, 780)]),
            (&[(500, 600), (1000, 1200)], &[(540, 600), (1000, 1080)]),
            (&[(400, 540), (1080, 1100)], &[]),
            (&[(720, 780), (760, 800), (800, 810)], &[(720, 810)]),
            (&[(900, 910), (720, 780)], &[(720, 780), (900, 910)]),
            (&[], &[]),
        ];
        for (breaks, expected) in table {
            let spans = |pairs: &[(i32, i32)]| pairs.iter().map(|(from, to)| span(*from, *to)).collect::<Vec<_>>();
            assert_eq!(inside(work, &spans(breaks)), spans(expected), "{breaks:?}");
        }
    }

    #[test]
    fn merged_breaks_begin_with_the_first_and_are_as_long_as_all() {
        let work = span(540, 1080);
        let breaks = [span(720, 780), span(900, 915)];
        assert_eq!(as_wanted(BreakMode::Merged, work, &breaks), [span(720, 795)]);
        assert_eq!(as_wanted(BreakMode::Each, work, &breaks), breaks);
        assert_eq!(as_wanted(BreakMode::Merged, work, &[]), []);
    }

    #[test]
    fn a_break_known_by_its_length_is_at_noon_or_in_the_middle_and_beside_the_others() {
        let (day, late, night) = (span(540, 1080), span(780, 1320), span(1320, 1860));
        let short = span(540, 750);
        type Pairs = &'static [(i32, i32)];
        let table: [(Span, Pairs, i32, Pairs); 12] = [
            (day, &[], 60, &[(720, 780)]),
            (late, &[], 60, &[(1020, 1080)]),
            (night, &[], 60, &[(1560, 1620)]),
            // 12:00 is inside, but an hour from there is not.
            (short, &[], 60, &[(615, 675)]),
            (day, &[(900, 915)], 45, &[(720, 765), (900, 915)]),
            (day, &[(710, 730)], 60, &[(710, 790)]),
            (day, &[(730, 800)], 60, &[(670, 800)]),
            (day, &[(700, 1080)], 60, &[(640, 1080)]),
            // No hour is free in one piece.
            (span(540, 660), &[(570, 630)], 40, &[(540, 640)]),
            (span(540, 660), &[(570, 630)], 60, &[(540, 660)]),
            (span(540, 660), &[(570, 630)], 900, &[(540, 660)]),
            (day, &[(720, 780)], 0, &[(720, 780)]),
        ];
        for (work, breaks, length, expected) in table {
            let spans = |pairs: &[(i32, i32)]| pairs.iter().map(|(from, to)| span(*from, *to)).collect::<Vec<_>>();
            assert_eq!(
                with_length(work, &spans(breaks), length, Minutes::NOON),
                spans(expected),
                "{breaks:?} {length}"
            );
        }
    }

    proptest! {
        #[test]
        fn what_comes_out_is_inside_in_order_and_apart_and_stays_as_it_is(
            from in -1440_i32..2000, length in 1_i32..800, breaks in prop::collection::vec((-1440_i32..2800, 1_i32..79), 0..12),
        ) {
            let work = span(from, from + length);
            let breaks: Vec<Span> = breaks.into_iter().map(|(from, length)| span(from, from + length)).collect();
            let joined = inside(work, &breaks);
            prop_assert!(joined.iter().all(|span| span.from >= work.from && span.to <= work.to && span.length() > 0));
            prop_assert!(joined.windows(2).all(|pair| pair[0].to < pair[1].from));
            prop_assert_eq!(inside(work, &joined), joined.clone());
            let as_each = as_wanted(BreakMode::Each, work, &joined);
            let merged = as_wanted(BreakMode::Merged, work, &joined);
            prop_assert_eq!(&as_each, &joined);
            prop_assert_eq!(merged.len(), usize::from(!joined.is_empty()));
            prop_assert_eq!(total(&merged), total(&joined));
            prop_assert_eq!(inside(work, &merged), merged.clone());
            prop_assert_eq!(as_wanted(BreakMode::Merged, work, &merged), merged);
        }

        #[test]
        fn a_break_known_by_its_length_is_as_long_as_it_is_or_fills_work(
            from in -1440_i32..2000, length in 1_i32..800, breaks in prop::collection::vec((-1440_i32..2800, 1_i32..79), 0..12),
            more in 0_i32..900, at in -1440_i32..2879,
        ) {
            let work = span(from, from + length);
            let breaks: Vec<Span> = breaks.into_iter().map(|(from, length)| span(from, from + length)).collect();
            let breaks = inside(work, &breaks);
            let with = with_length(work, &breaks, more, Minutes::new(at).unwrap());
            prop_assert_eq!(total(&with), (total(&breaks) + more).min(work.length()));
            prop_assert_eq!(inside(work, &with), with);
        }
    }
}
