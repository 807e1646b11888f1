//! Every numbered rule has a line, and every line comes out.

use renkei_sandbox::{crowdlog, feed, rules};

#[test]
fn every_rule_has_a_line_and_comes_out() {
    let report = rules::check(&|_| None);
    assert_eq!(report.lines.len(), 70 + 21 + 18 + 29 + 18);
    assert_eq!(report.failed(), 0, "\n{report}");
}

#[test]
fn the_real_client_can_fail_a_rule() {
    let report = rules::check(&|id| (id == "L2").then(|| Err("sent six".to_owned())));
    assert_eq!(report.failed(), 1);
    assert!(report.to_string().contains("ours did not pass: sent six"), "{report}");
}

#[test]
fn no_line_without_a_rule() {
    let ids: Vec<String> = rules::ids().collect();
    for rule in rules::rules() {
        assert!(ids.iter().any(|id| id == rule.id), "{} is no rule", rule.id);
    }
}

#[test]
fn every_rule_of_the_feed_has_a_line_and_comes_out() {
    let report = rules::check_family("E", feed::rules::COUNT, feed::rules::RULES);
    assert_eq!(report.lines.len(), feed::rules::RULES.len());
    assert_eq!(report.failed(), 0, "\n{report}");
}

#[test]
fn every_rule_of_the_import_has_a_line_and_comes_out() {
    let report = rules::check_family("C", crowdlog::rules::COUNT, crowdlog::rules::RULES);
    assert_eq!(report.lines.len(), crowdlog::rules::RULES.len());
    assert_eq!(report.failed(), 0, "\n{report}");
}
