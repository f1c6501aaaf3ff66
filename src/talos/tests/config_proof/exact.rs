//! What is shown without Talos: the bytes.

use talos::machine_config::{Action, Desired, EditError, Edited, Module, Record, adopt, edit, normal_name, view};

use super::case::Case;
use super::content::{FOREIGN_MODULES, FOREIGN_SYSCTLS};
use super::dice::Dice;
use super::{CRI, Figures};

fn reason(error: &EditError) -> &'static str {
    match error {
        EditError::Shared { .. } => "shared by an anchor or alias",
        EditError::Layout { how, .. } => how,
        EditError::Toml { .. } => "broken or dotted TOML",
        EditError::SeveralParts { .. } => "several CRI parts",
        EditError::Spelling { .. } => "the other spelling of a sysctl",
        EditError::Encoding { .. } => "encoding",
        _ => "other",
    }
}

fn broken(case: &Case, what: &str, text: &str) -> ! {
    panic!("seed {}: {what}\n--- before\n{}\n--- wanted {:?}\n--- text\n{text}\n", case.seed, case.text, case.desired)
}

pub(crate) struct Judged {
    pub(crate) before: String,
    pub(crate) after: String,
    pub(crate) later: Vec<Later>,
}

/// Runs one case as far as it goes without Talos. The texts are for Talos to judge.
pub(crate) fn run(case: &Case, figures: &mut Figures) -> Option<Judged> {
    let fail = |what: &str, text: &str| -> ! {
        panic!(
            "seed {}: {what}\n--- before\n{}\n--- wanted {:?}\n--- text\n{text}\n",
            case.seed, case.text, case.desired
        )
    };
    let before = case.text.as_bytes();
    let applied = match edit(before, &case.desired, &Record::default(), case.backend) {
        Ok(applied) => applied,
        Err(error) if case.mangled && !matches!(error, EditError::Guard { .. }) => {
            figures.mangled_refused += 1;
            return None;
        }
        Err(
            error @ (EditError::Guard { .. }
            | EditError::Syntax { .. }
            | EditError::Duplicate { .. }
            | EditError::Structure { .. }),
        ) => fail(&error.to_string(), ""),
        Err(error) => {
            *figures.refused.entry(reason(&error)).or_default() += 1;
            return None;
        }
    };
    let after = String::from_utf8(applied.bytes.clone()).unwrap();
    let must = |result: Result<Edited, EditError>, what: &str, text: &str| match result {
        Ok(edited) => edited,
        Err(error) => fail(&format!("{what}: {error}"), text),
    };
    // Idempotent.
    let again = must(edit(&applied.bytes, &case.desired, &applied.record, case.backend), "editing again", &after);
    if again.bytes != applied.bytes || !again.changes.is_empty() || again.record != applied.record {
        fail("editing again changed something", &String::from_utf8_lossy(&again.bytes));
    }
    // Taking back, by way of the record's stored form.
    let record: Record = serde_json::from_str(&serde_json::to_string(&applied.record).unwrap()).unwrap();
    let back = must(edit(&applied.bytes, &Desired::default(), &record, case.backend), "taking back", &after);
    if back.bytes != before {
        fail("taking back gives other bytes", &format!("{after}\n--- back\n{}", String::from_utf8_lossy(&back.bytes)));
    }
    if !back.record.is_empty() {
        fail("taking back leaves a record", &format!("{:?}", back.record));
    }
    // An edit that only adds leaves the text whole: it is what remains when the additions are skipped.
    figures.unchanged += usize::from(applied.changes.is_empty());
    if applied.changes.iter().all(|change| change.action == Action::Add)
        && !case.text.contains("null")
        && !case.text.contains('~')
    {
        figures.insertions_only += 1;
        let mut rest = after.as_bytes().iter();
        if !before.iter().all(|byte| rest.any(|other| other == byte)) {
            fail("an edit that only adds took something away", &after);
        }
    }
    let mut later = Vec::new();
    if !case.mangled {
        let _ = drift(case, &applied, &after, figures);
        later = self::later(case, &applied, figures);
    }
    Some(Judged { before: case.text.clone(), after, later })
}

/// Somebody edits in between: something of their own, something of ours, or both.
fn drift(case: &Case, applied: &Edited, after: &str, figures: &mut Figures) -> Option<()> {
    let mut dice = Dice::new(case.seed ^ 0xd21f7);
    // What a value says was fine and may be written in a way that cannot be changed; then mending is refused.
    let mut step =
        |bytes: &[u8], desired: &Desired, record: &Record, what: &str| match edit(bytes, desired, record, case.backend)
        {
            Ok(edited) => Some(edited),
            Err(EditError::Layout { .. } | EditError::Shared { .. }) => {
                figures.drifts_refused += 1;
                None
            }
            Err(error) => broken(case, &format!("{what}: {error}"), &String::from_utf8_lossy(bytes)),
        };
    let own = |text: &str| {
        let end = if text.contains("\r\n") { "\r\n" } else { "\n" };
        let gap = if text.ends_with('\n') { "" } else { end };
        text.replace("drift-before", "drift-after, and longer") + gap + "# somebody was here" + end
    };
    let expected = own(&case.text);
    let mut changed = own(after).into_bytes();
    // Some of ours is gone, or says something else.
    let meddled = dice.percent(50);
    if meddled {
        let mut other = case.desired.clone();
        other.modules.retain(|_| dice.percent(50));
        other.sysctls.retain(|_, _| dice.percent(50));
        for value in other.sysctls.values_mut() {
            *value = "7".into();
        }
        if dice.percent(50) {
            other.default_runtime = None;
        }
        changed = step(&changed, &other, &applied.record, "drift")?.bytes;
    }
    let mended = step(&changed, &case.desired, &applied.record, "mending")?;
    let back = step(&mended.bytes, &Desired::default(), &mended.record, "taking back after mending")?;
    let text = String::from_utf8_lossy(&back.bytes).into_owned();
    // A prior value whose entry somebody removed comes back where entries are added, so then only its lines are compared.
    let sorted = |text: &str| {
        let mut lines: Vec<_> = text.lines().map(str::to_owned).collect();
        lines.sort();
        lines
    };
    if text != expected && !(meddled && prior_exists(case) && sorted(&text) == sorted(&expected)) {
        broken(
            case,
            "taking back after somebody's edit leaves something else than that edit",
            &format!(
                "{}\n--- mended\n{}\n--- back\n{text}",
                String::from_utf8_lossy(&changed),
                String::from_utf8_lossy(&mended.bytes)
            ),
        );
    }
    figures.drifts += 1;
    Some(())
}

/// What becomes of a configuration in other hands; Talos says whether it is what it should be.
fn later(case: &Case, applied: &Edited, figures: &mut Figures) -> Vec<Later> {
    let mut dice = Dice::new(case.seed ^ 0x1a7e4);
    let list = |names: &[&str]| names.iter().map(|name| Module { name: (*name).into(), parameters: None }).collect();
    let map = |keys: &[&str]| keys.iter().map(|key| ((*key).to_owned(), "77".to_owned())).collect();
    let one = Desired {
        modules: list(&[dice.word(FOREIGN_MODULES)]),
        sysctls: map(&[dice.word(FOREIGN_SYSCTLS)]),
        default_runtime: None,
    };
    let all = Desired { modules: list(FOREIGN_MODULES), sysctls: map(FOREIGN_SYSCTLS), default_runtime: None };
    let nothing = Desired::default();
    let mut done = Vec::new();
    let mut step =
        |what, bytes: &[u8], desired: &Desired, record: &Record| match edit(bytes, desired, record, case.backend) {
            Ok(edited) => Some(edited),
            Err(EditError::Layout { .. } | EditError::Shared { .. }) => {
                figures.drifts_refused += 1;
                None
            }
            Err(error) => broken(case, &format!("{what}: {error}"), &String::from_utf8_lossy(bytes)),
        };
    let mut add = |what, gone: Desired, added: Desired, edited: Option<Edited>| {
        let text = edited.map(|edited| String::from_utf8(edited.bytes).unwrap());
        done.extend(text.map(|text| Later { what, text, gone, added }));
    };

    let what = "somebody adds keys of theirs among ours, ours are taken back";
    let back = step(what, &applied.bytes, &one, &Record::default())
        .and_then(|with| step(what, &with.bytes, &nothing, &applied.record));
    add(what, Desired::default(), one, back);

    let what = "somebody takes theirs away from among ours, ours are mended and taken back";
    let theirs = adopt(&applied.bytes, &all).unwrap();
    let back = step(what, &applied.bytes, &nothing, &theirs)
        .and_then(|without| step(what, &without.bytes, &case.desired, &applied.record))
        .and_then(|mended| step(what, &mended.bytes, &nothing, &mended.record));
    add(what, all, Desired::default(), back);

    let what = "all that is wanted is imported and taken back";
    let imported = adopt(&applied.bytes, &case.desired);
    let imported = imported.unwrap_or_else(|error| broken(case, &error.to_string(), ""));
    let still = step(what, &applied.bytes, &case.desired, &imported);
    if still.is_some_and(|still| !still.changes.is_empty()) {
        broken(case, "an edit after an import changes something", &String::from_utf8_lossy(&applied.bytes));
    }
    let back = step(what, &applied.bytes, &nothing, &imported);
    add(what, case.desired.clone(), Desired::default(), back);
    done
}

/// Whether a key of the desired stood in the configuration before.
fn prior_exists(case: &Case) -> bool {
    let seen = view(case.text.as_bytes(), CRI).unwrap();
    case.desired.sysctls.keys().any(|key| seen.sysctls.contains_key(key))
        || case.desired.modules.iter().any(|module| seen.modules.contains_key(&normal_name(&module.name)))
        || seen.default_runtime.is_some()
}

/// A configuration that went through other hands, and how it differs from what it was at first.
pub(crate) struct Later {
    pub(crate) what: &'static str,
    pub(crate) text: String,
    pub(crate) gone: Desired,
    pub(crate) added: Desired,
}
