//! The part of a log that is kept: its end.
//!
//! The API gives the beginning of what was asked for (`limitBytes`), so the last lines are asked for, fewer of them when
//! they are too long, and the cut is made here.

/// What the attribute `output` holds at most, in bytes.
pub(super) const KEPT: usize = 64 << 10;

/// What one answer may hold at most, in bytes.
pub(super) const ANSWER: u32 = 4 << 20;

/// The number of last lines that is asked for first.
pub(super) const LINES: u32 = 4096;

/// What an error shows at most.
const SHOWN: usize = 8 << 10;

/// How many last lines to ask for when `lines` were too long for an answer; none when there is nothing less to ask for.
pub(super) fn fewer(lines: u32, answer: &str) -> Option<u32> {
    let is_cut = answer.len() >= ANSWER as usize;
    (is_cut && lines > 1).then_some(lines / 8).map(|lines| lines.max(1))
}

/// The last `KEPT` bytes, from the beginning of a line where there is one.
pub(super) fn kept(log: &str) -> &str {
    end_of(log, KEPT)
}

/// What an error shows of a log, and whether that is not all.
pub(crate) fn shown(log: &str) -> (&str, bool) {
    let shown = end_of(log, SHOWN);
    (shown, shown.len() < log.len())
}

fn end_of(log: &str, most: usize) -> &str {
    let Some(cut) = log.len().checked_sub(most).filter(|cut| *cut > 0) else { return log };
    let start = (cut..log.len()).find(|at| log.is_char_boundary(*at)).unwrap_or(log.len());
    let end = &log[start..];
    // A line that is cut says something else than the whole one, unless it is all that there is.
    match end.split_once('\n') {
        Some((_, whole)) if !whole.is_empty() && !log[..start].ends_with('\n') => whole,
        _ => end,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_that_fits_is_kept_whole() {
        for log in ["", "a\n", "ä"] {
            assert_eq!(kept(log), log);
        }
        let full = "x".repeat(KEPT);
        assert_eq!(kept(&full), full);
    }

    #[test]
    fn of_a_longer_log_the_last_whole_lines_are_kept() {
        let line = format!("{}\n", "x".repeat(99));
        let log = line.repeat(KEPT / 100 + 10);
        let end = kept(&log);
        assert!(end.len() <= KEPT && end.len() > KEPT - 100);
        assert!(end.starts_with('x') && end.len().is_multiple_of(100), "{}", end.len());
    }

    #[test]
    fn one_endless_line_is_cut_between_characters() {
        let log = format!("a{}", "ä".repeat(KEPT));
        let end = kept(&log);
        assert!(end.len() <= KEPT && end.len() > KEPT - 2);
        assert!(end.chars().all(|c| c == 'ä'));
    }

    #[test]
    fn an_answer_that_is_full_is_asked_for_again_with_fewer_lines() {
        let full = "x".repeat(ANSWER as usize);
        assert_eq!(fewer(LINES, "short"), None);
        let asked: Vec<u32> = std::iter::successors(Some(LINES), |lines| fewer(*lines, &full)).collect();
        assert_eq!(asked, [4096, 512, 64, 8, 1]);
    }

    proptest::proptest! {
        #[test]
        fn any_log_is_cut_without_a_panic(log in "(.|\n){0,300}", most in 0_usize..200) {
            let end = end_of(&log, most);
            proptest::prop_assert!(log.ends_with(end) && (end.len() <= most || log.len() <= most || most == 0));
        }
    }
}
