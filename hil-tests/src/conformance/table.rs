//! The table in `docs/conformance.md`.

use std::fmt::Write as _;

use super::{NOT_APPLICABLE, THEMES, Verdict};

const HEAD: &str = "\
# Sparkplug conformance

The node against the assertions of the edge node profile of Sparkplug 3.0.0, by rules over everything that passes
between node, broker and primary host: every MQTT packet, as a tap on the wire sees it. Made and compared by the
black-box test `conformance`; `EISBACH_WRITE_TABLE=1` writes it anew.

An id is that of the specification without its prefix `tck-id-`. Data sets and templates are not spoken, so their
assertions are left out. The official test kit itself has not been run.
";

/// The document that these verdicts make.
pub fn table(verdicts: &[Verdict]) -> String {
    let mut text = HEAD.to_owned();
    let kept = verdicts.iter().filter(|verdict| verdict.is_kept()).count();
    let (all, left_out) = (verdicts.len(), NOT_APPLICABLE.len());
    line(&mut text, &format!("\n{kept} of {all} pass; {left_out} do not apply."));
    for (theme, rules) in THEMES {
        line(&mut text, &format!("\n## {theme}\n\n| Assertion | What is checked | Result |\n|---|---|---|"));
        for rule in rules {
            for id in rule.ids {
                let verdict = verdicts.iter().find(|verdict| verdict.id == *id);
                line(&mut text, &format!("| `{id}` | {} | {} |", rule.says, verdict.map_or("?", result)));
            }
        }
    }
    line(&mut text, "\n## Not applicable\n\n| Assertion | Why |\n|---|---|");
    for (id, why) in NOT_APPLICABLE {
        line(&mut text, &format!("| `{id}` | {why} |"));
    }
    text
}

fn result(verdict: &Verdict) -> &'static str {
    match verdict.outcome {
        Ok(0) => "not seen",
        Ok(_) => "pass",
        Err(_) => "FAIL",
    }
}

fn line(text: &mut String, line: &str) {
    writeln!(text, "{line}").expect("text can be appended to");
}
