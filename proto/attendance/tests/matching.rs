//! Who is who.

#![allow(clippy::unwrap_used, reason = "helpers of tests stop the test")]

use std::collections::BTreeSet;

use proptest::prelude::*;
use renkei_attendance::codes::Code;
use renkei_attendance::matching::{AtSource, Match, Matching, Nobody};
use renkei_attendance::members::Member;

fn code(text: &str) -> Code {
    Code::new(text).unwrap()
}

fn person(code: &str, link: &str, person: &str) -> AtSource {
    AtSource { code: self::code(code), link: link.to_owned(), person: person.to_owned() }
}

fn member(text: &str, line: u64) -> Member {
    Member { code: code(text), own_text: text.to_owned(), name: None, first: None, last: None, active: true, line }
}

fn members(texts: &[&str]) -> Vec<Member> {
    texts.iter().zip(2..).map(|(text, line)| member(text, line)).collect()
}

/// A person each, all from one link.
fn people(codes: &[&str]) -> Vec<AtSource> {
    codes.iter().enumerate().map(|(at, code)| person(code, "one", &at.to_string())).collect()
}

fn texts(codes: &[Code]) -> Vec<&str> {
    codes.iter().map(Code::as_str).collect()
}

#[test]
fn codes_match_to_the_character_and_every_other_one_is_named() {
    use Nobody::{DoubleAtDestination, DoubleAtSource, NearMiss, OnlyAtSource};
    type Texts = &'static [&'static str];
    // Codes at the source, members, and what comes of the first code.
    let rows: [(Texts, Texts, Result<&str, Nobody>); 16] = [
        (&["P1004"], &["P1004"], Ok("P1004")),
        (&["P1004"], &[" P1004\u{3000}"], Ok(" P1004\u{3000}")),
        (&["00123"], &["00123", "123"], Ok("00123")),
        (&["P1004"], &["P1005"], Err(OnlyAtSource)),
        (&["P1004"], &[], Err(OnlyAtSource)),
        (&["00123"], &["123"], Err(NearMiss)),
        (&["123"], &["0123"], Err(NearMiss)),
        (&["Ｐ１００４"], &["P1004"], Err(NearMiss)),
        (&["P 1004"], &["P1004"], Err(NearMiss)),
        (&["p1004"], &["P1004"], Err(NearMiss)),
        (&["P1004", "P1004"], &["P1004"], Err(DoubleAtSource)),
        (&["P1004", "P1004"], &[], Err(DoubleAtSource)),
        (&["P1004"], &["P1004", "P1004"], Err(DoubleAtDestination)),
        (&["P1004"], &["P1004", " P1004"], Err(DoubleAtDestination)),
        (&["P1004", "P1004"], &["P1004", "P1004"], Err(DoubleAtSource)),
        // The one that looks alike belongs to somebody else already.
        (&["123", "0123"], &["0123"], Err(OnlyAtSource)),
    ];
    for (source, destination, expected) in rows {
        let (source, destination) = (people(source), members(destination));
        let matching = Matching::new(&source, &destination);
        let found = match matching.of(&source[0].code) {
            Match::Member(member) => Ok(member.own_text.as_str()),
            Match::Nobody(why) => Err(why),
        };
        assert_eq!(found, expected, "{source:?} {destination:?}");
    }
}

#[test]
fn the_lists_of_a_run_are_in_order_and_do_not_overlap() {
    let source = [
        people(&["P9", "P1", "00123", "P5", "P5", "p7", "0007", "07"]),
        vec![person("P1", "two", "a"), person("P3", "two", "b")],
    ];
    let destination = members(&["P8", "P1", "123", "P5", "P3", "P3", "Ｐ７", "P6", "7"]);
    let matching = Matching::new(source.iter().flatten(), &destination);
    assert_eq!(matching.matched().map(|(code, _)| code.as_str()).collect::<Vec<_>>(), ["P1"]);
    assert_eq!(texts(&matching.only_source), ["P9"]);
    assert_eq!(texts(&matching.only_destination), ["P6", "P8"]);
    let near: Vec<_> = matching.near.iter().map(|miss| (texts(&miss.source), texts(&miss.destination))).collect();
    assert_eq!(near, [(vec!["0007", "07"], vec!["7"]), (vec!["00123"], vec!["123"]), (vec!["p7"], vec!["Ｐ７"]),]);
    let [double] = matching.doubles_at_source.as_slice() else { panic!("{matching:?}") };
    assert_eq!(double.code, code("P5"));
    assert_eq!(double.people, [person("P5", "one", "3"), person("P5", "one", "4")]);
    let [double] = matching.doubles_at_destination.as_slice() else { panic!("{matching:?}") };
    assert_eq!((double.code.as_str(), double.lines.as_slice()), ("P3", [6, 7].as_slice()));
    let [shared] = matching.in_several_links.as_slice() else { panic!("{matching:?}") };
    assert_eq!((shared.code.as_str(), &shared.links), ("P1", &vec!["one".to_owned(), "two".to_owned()]));
}

#[test]
fn the_same_person_told_of_twice_is_no_double_and_neither_are_two_links() {
    let source = [person("P1", "one", "1"), person("P1", "one", "1"), person("P1", "two", "9")];
    let destination = members(&["P1"]);
    let matching = Matching::new(&source, &destination);
    assert!(matches!(matching.of(&code("P1")), Match::Member(_)));
    assert_eq!(matching.in_several_links.len(), 1);
    let source = [person("P1", "one", "1"), person("P1", "one", "2"), person("P1", "two", "9")];
    let matching = Matching::new(&source, &destination);
    assert_eq!(matching.of(&code("P1")), Match::Nobody(Nobody::DoubleAtSource), "of one link two people have it");
}

/// Codes of which many are equal or look alike.
fn any_code() -> impl Strategy<Value = String> {
    "[ 　]{0,1}0{0,2}[1１aAａ]{1,2}"
}

proptest! {
    #[test]
    fn every_code_is_in_exactly_one_place_and_the_order_of_the_input_changes_nothing(
        source in prop::collection::vec((any_code(), 0..3_u8, 0..2_u8), 0..14),
        destination in prop::collection::vec(any_code(), 0..14),
    ) {
        let destination: Vec<Member> = destination.iter().zip(2..).map(|(text, line)| member(text, line)).collect();
        let source: Vec<AtSource> =
            source.iter().map(|(code, who, link)| person(code, &link.to_string(), &who.to_string())).collect();
        let matching = Matching::new(&source, &destination);
        let times = |codes: &[Code], code: &Code| codes.iter().filter(|one| *one == code).count();
        for one in &source {
            let own = &one.code;
            let with_it: Vec<&Member> = destination.iter().filter(|member| member.code == *own).collect();
            let is_double = matching.doubles_at_source.iter().any(|double| double.code == *own)
                || matching.doubles_at_destination.iter().any(|double| double.code == *own);
            let near = matching.near.iter().map(|miss| times(&miss.source, own)).sum::<usize>();
            let matched = matching.matched().filter(|(code, _)| *code == own).count();
            let places = usize::from(is_double) + near + matched + times(&matching.only_source, own);
            prop_assert_eq!(places, 1, "{:?} in {:?}", own, matching);
            match matching.of(own) {
                Match::Member(member) => prop_assert_eq!(with_it, [member]),
                Match::Nobody(Nobody::DoubleAtDestination) => prop_assert!(with_it.len() > 1),
                Match::Nobody(Nobody::OnlyAtSource) => {
                    prop_assert!(with_it.is_empty());
                    let free = |member: &&Member| !source.iter().any(|one| one.code == member.code);
                    let alone = |member: &&Member| destination.iter().filter(|one| one.code == member.code).count() == 1;
                    let alike = |member: &&Member| member.code.near_key() == own.near_key();
                    prop_assert!(!destination.iter().any(|member| [free(&member), alone(&member), alike(&member)] == [true; 3]));
                }
                Match::Nobody(Nobody::NearMiss) => {
                    prop_assert!(with_it.is_empty());
                    prop_assert!(destination.iter().any(|member| member.code.near_key() == own.near_key()));
                }
                Match::Nobody(Nobody::DoubleAtSource) => {
                    let same = source.iter().filter(|other| other.code == *own);
                    let people: BTreeSet<(&str, &str)> =
                        same.map(|other| (other.link.as_str(), other.person.as_str())).collect();
                    let links: BTreeSet<&str> = people.iter().map(|(link, _)| *link).collect();
                    prop_assert!(people.len() > links.len());
                }
            }
        }
        for member in &destination {
            let own = &member.code;
            let is_double = matching.doubles_at_destination.iter().any(|double| double.code == *own);
            let at_source = source.iter().any(|one| one.code == *own);
            let near = matching.near.iter().map(|miss| times(&miss.destination, own)).sum::<usize>();
            let named = usize::from(is_double || at_source) + near + times(&matching.only_destination, own);
            prop_assert_eq!(named, 1, "{:?} in {:?}", own, matching);
        }
        let mut reversed = source.clone();
        reversed.reverse();
        prop_assert_eq!(Matching::new(reversed.iter().chain(&source), &destination), matching);
    }
}
