//! The list of codes, its pages in `docs/errors/` and the codes that stand in the sources say the same.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use renkei_events::codes::{Code, Side};

/// First parts of codes. Anything of the form `"{part}.{words}"` in a source is a code.
const PARTS: [&str; 11] =
    ["kaonavi", "mapping", "member", "delivery", "source", "webhook", "csv", "mail", "api", "renkei", "attendance"];

/// Of that form, and no code: keys of the connections file and of the settings.
const NO_CODES: [&str; 13] = [
    "attendance.dir",
    "kaonavi.base_url",
    "kaonavi.consumer_key",
    "delivery.batch_size",
    "delivery.timing",
    "mapping.clear_when_empty",
    "mail.smtp_host",
    "mail.smtp_tls",
    "mail.smtp_ca_location",
    "mail.smtp_user",
    "mail.smtp_password",
    "mail.from",
    "mail.fallback_to",
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn pages(language: &str) -> PathBuf {
    root().join("docs/errors").join(language)
}

fn page(language: &str, code: Code) -> String {
    let path = pages(language).join(format!("{code}.md"));
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{code} has no page {}: {error}", path.display()))
}

/// The text under the `## ` headings of a page, in order.
fn sections(page: &str) -> Vec<(&str, &str)> {
    page.split("\n## ").skip(1).filter_map(|part| part.split_once('\n')).map(|(h, text)| (h, text.trim())).collect()
}

/// What a page has to say, in one language.
struct Form {
    language: &'static str,
    headings: [&'static str; 3],
    title: fn(Code) -> &'static str,
    side: fn(Side) -> &'static str,
    after_side: &'static str,
    act: [&'static str; 2],
    other: fn(Code) -> String,
}

const FORMS: [Form; 2] = [
    Form {
        language: "",
        headings: ["What happened", "Whose side", "What to do"],
        title: Code::title_en,
        side: Side::en,
        after_side: ": ",
        act: ["Nobody has to act", "A person has to act"],
        other: |code| format!("(ja/{code}.md)"),
    },
    Form {
        language: "ja",
        headings: ["起きたこと", "どこに原因があるか", "直しかた"],
        title: Code::title_ja,
        side: Side::ja,
        after_side: "：",
        act: ["人の対応は要りません", "人の対応が必要です"],
        other: |code| format!("(../{code}.md)"),
    },
];

#[test]
fn every_code_has_a_page_in_both_languages_that_says_what_the_list_says() {
    for form in &FORMS {
        for code in Code::ALL.iter().copied() {
            let page = page(form.language, code);
            let place = format!("{}/{code}", form.language);
            assert!(page.starts_with(&format!("# {}\n", (form.title)(code))), "{place}: title");
            let head = page.lines().nth(2).unwrap_or_default();
            assert!(head.contains(&format!("`{code}`")), "{place}: code");
            assert!(head.contains(form.act[usize::from(code.needs_person())]), "{place}: whether a person has to act");
            assert!(head.contains(&(form.other)(code)), "{place}: link to the other language");
            let sections = sections(&page);
            let headings: Vec<&str> = sections.iter().map(|(heading, _)| *heading).collect();
            assert_eq!(headings, form.headings, "{place}: headings");
            assert!(sections.iter().all(|(_, text)| text.chars().count() > 10), "{place}: a section is empty");
            let side = format!("**{}**{}", (form.side)(code.side()), form.after_side);
            assert!(sections[1].1.starts_with(&side), "{place}: whose side: {side}");
        }
    }
}

#[test]
fn a_code_that_needs_a_person_says_in_japanese_what_to_do() {
    for code in Code::ALL.iter().copied().filter(|code| code.needs_person()) {
        assert!(code.remedy_ja().chars().count() > 10, "{code}: {:?}", code.remedy_ja());
        assert!(code.happened_ja().chars().count() > 10, "{code}: {:?}", code.happened_ja());
        for section in [code.remedy_ja(), code.happened_ja()] {
            assert!(!section.contains("## "), "{code}: {section}");
        }
    }
}

#[test]
fn no_page_is_left_over() {
    for form in &FORMS {
        for entry in fs::read_dir(pages(form.language)).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if path.is_dir() || name == "README.md" {
                continue;
            }
            let known = name.strip_suffix(".md").is_some_and(|text| Code::parse(text).is_some());
            assert!(known, "{} belongs to no code", path.display());
        }
    }
}

#[test]
fn the_index_lists_every_code_once_with_its_title_and_side() {
    for form in &FORMS {
        let index = fs::read_to_string(pages(form.language).join("README.md")).unwrap();
        let rows: Vec<&str> = index.lines().filter(|line| line.starts_with("| [`")).collect();
        let expected: Vec<String> = Code::ALL
            .iter()
            .map(|code| format!("| [`{code}`]({code}.md) | {} | {} |", (form.title)(*code), (form.side)(code.side())))
            .collect();
        assert_eq!(rows.len(), expected.len(), "{}: rows of the index", form.language);
        for row in &expected {
            assert!(rows.iter().any(|line| line.starts_with(row)), "{}: the index has no row {row}", form.language);
        }
    }
}

#[test]
fn links_between_the_pages_lead_somewhere() {
    for form in &FORMS {
        let folder = pages(form.language);
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let Ok(text) = fs::read_to_string(&path) else { continue };
            for link in text.split("](").skip(1).filter_map(|rest| rest.split_once(')')).map(|(link, _)| link) {
                let file = link.split('#').next().unwrap_or_default();
                let inside = !link.contains("://");
                assert!(!inside || folder.join(file).exists(), "{} links to {link}", path.display());
            }
        }
    }
}

#[test]
fn codes_are_told_apart_by_text_and_titles() {
    let distinct = |of: fn(Code) -> &'static str| Code::ALL.iter().map(|code| of(*code)).collect::<BTreeSet<_>>().len();
    for (what, count) in
        [("text", distinct(Code::as_str)), ("ja", distinct(Code::title_ja)), ("en", distinct(Code::title_en))]
    {
        assert_eq!(count, Code::ALL.len(), "{what}");
    }
    for code in Code::ALL {
        let text = code.as_str();
        assert_eq!(Code::parse(text), Some(*code));
        assert!(text.chars().all(|c| matches!(c, 'a'..='z' | '0'..='9' | '_' | '.')), "{text}");
        assert!(text.matches('.').count() <= 1, "{text}");
        assert!(!text.contains('.') || PARTS.contains(&text.split('.').next().unwrap()), "{text}: unknown first part");
        assert!(
            !code.title_ja().ends_with('。') && !code.title_en().ends_with('.'),
            "{text}: a title has no full stop"
        );
    }
    assert_eq!(Code::parse("kaonavi"), None);
    assert_eq!(Code::parse(""), None);
}

#[test]
fn every_code_that_stands_in_a_source_is_in_the_list() {
    let mut found = 0;
    for folder in ["proto", "ingest", "workers", "tests"] {
        for path in sources(&root().join(folder)) {
            let text = fs::read_to_string(&path).unwrap();
            for literal in literals(&text) {
                found += 1;
                let known = Code::parse(&literal).is_some() || NO_CODES.contains(&literal.as_str());
                assert!(known, "{}: \"{literal}\" is in no list", path.display());
            }
        }
    }
    assert!(found >= Code::ALL.len(), "the list itself is read, too: {found}");
}

#[test]
fn literals_of_codes_are_found_where_they_stand() {
    let cases: &[(&str, &[&str])] = &[
        (r#"park("kaonavi.rejected", x)"#, &["kaonavi.rejected"]),
        (r#"format!("mapping.constant_not_in_layout: {key}")"#, &["mapping.constant_not_in_layout"]),
        (r#"contains("0500, id rm_c, mapping.gender_unmapped: その他")"#, &["mapping.gender_unmapped"]),
        (r#""/employee_number source.too_long""#, &["source.too_long"]),
        (r#""renkei.employee.v1" and "renkei.deadletter.v1""#, &[]),
        (r#"http "https://kaonavi.jp/x", "a_member.gone", "kaonavi.", kaonavi.forbidden"#, &[]),
        (r#"'"' "member.gone" "mail.example.com" "source.rs""#, &["member.gone"]),
    ];
    for (text, expected) in cases {
        assert_eq!(literals(text), *expected, "{text}");
    }
}

fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    for path in entries.filter_map(Result::ok).map(|entry| entry.path()) {
        let name = path.file_name().unwrap_or_default();
        // This file has codes that are none.
        if name == "target" || path.ends_with("proto/events/tests/codes.rs") {
            continue;
        }
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found
}

/// What looks like a code inside of string literals: `part.words`, and not a piece of a longer name.
fn literals(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for line in text.lines().filter(|line| !line.trim_start().starts_with("//")) {
        let line = line.replace("'\"'", "");
        for quoted in line.split('"').skip(1).step_by(2) {
            let names = quoted.split(|c: char| !(c.is_ascii_alphanumeric() || "_.-/@".contains(c)));
            found.extend(names.filter(|name| is_of_the_form(name)).map(str::to_owned));
        }
    }
    found
}

fn is_of_the_form(name: &str) -> bool {
    name.split_once('.').is_some_and(|(part, rest)| {
        let words = rest.chars().all(|c| matches!(c, 'a'..='z' | '0'..='9' | '_'));
        // Shorter ones are ends of file names.
        PARTS.contains(&part) && words && rest.len() > 2
    })
}
