//! Reads the closing lines of test runners, so that the last thing said is how many tests passed, whichever runner there is.

/// Which runner's lines to look for. nextest shows the output of a failed test, which ends in a closing line of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Runner {
    /// `cargo nextest run`
    Nextest,
    /// `cargo test`
    CargoTest,
}

/// What the closing lines of one or more runs say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Closing {
    passed: u64,
    failed: u64,
    skipped: u64,
    /// The closing lines of nextest, as they are.
    verbatim: Vec<String>,
    /// How many closing lines of `cargo test` were added up (it has one for each binary).
    binaries: u64,
}

impl Closing {
    /// Looks at one line of a runner's output.
    pub fn see(&mut self, runner: Runner, line: &str) {
        let line = plain(line);
        let line = line.trim();
        if runner == Runner::CargoTest {
            let Some(rest) = line.strip_prefix("test result: ") else { return };
            // test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.00s
            let counts = rest.split_once(". ").map_or(rest, |(_, counts)| counts);
            self.binaries += 1;
            self.passed += number(counts, "passed");
            self.failed += number(counts, "failed");
            self.skipped += number(counts, "ignored");
        } else if line.starts_with("Summary [") {
            // Summary [   0.012s] 5 tests run: 4 passed (1 slow), 1 failed, 2 skipped
            let counts = line.split_once("run: ").map_or("", |(_, counts)| counts);
            self.verbatim.push(line.to_owned());
            self.passed += number(counts, "passed");
            self.failed += number(counts, "failed") + number(counts, "timed out");
            self.skipped += number(counts, "skipped");
        }
    }

    /// The sum of two.
    pub fn and(mut self, other: &Closing) -> Closing {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
        self
    }

    /// How many tests ran.
    pub fn ran(&self) -> u64 {
        self.passed + self.failed
    }

    /// The closing lines, those of `cargo test` added up to one.
    pub fn lines(&self) -> Vec<String> {
        let mut lines = self.verbatim.clone();
        if self.binaries > 0 {
            let verdict = if self.failed == 0 { "ok" } else { "FAILED" };
            lines.push(format!(
                "test result: {verdict}. {} passed; {} failed; {} ignored",
                self.passed, self.failed, self.skipped
            ));
        }
        lines
    }

    /// The last line of all.
    pub fn sentence(&self, failed: bool) -> String {
        let verdict = if failed { "FAILED" } else { "ok" };
        format!("test result: {verdict}. {} passed; {} failed; {} skipped", self.passed, self.failed, self.skipped)
    }
}

/// The number before a word: 4 in `4 passed (1 slow), 1 failed` for `passed`.
fn number(counts: &str, word: &str) -> u64 {
    let parts = counts.split([';', ',']).map(str::trim);
    let found = parts.filter_map(|part| part.split_once(' ')).find(|(_, rest)| rest.starts_with(word));
    found.and_then(|(number, _)| number.parse().ok()).unwrap_or(0)
}

/// The line without colours.
fn plain(line: &str) -> String {
    let mut text = String::with_capacity(line.len());
    let mut rest = line;
    while let Some((before, after)) = rest.split_once('\u{1b}') {
        text.push_str(before);
        rest = after.split_once('m').map_or("", |(_, rest)| rest);
    }
    text + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(runner: Runner, lines: &[&str]) -> Closing {
        let mut closing = Closing::default();
        lines.iter().for_each(|line| closing.see(runner, line));
        closing
    }

    #[test]
    fn nextest_is_read_with_and_without_colours() {
        let line = "     Summary [   1.012s] 7 tests run: 5 passed (1 slow), 1 failed, 1 timed out, 2 skipped";
        let closing = seen(
            Runner::Nextest,
            &["        PASS [   0.005s] a b", "    test result: FAILED. 0 passed; 1 failed; 0 ignored", line],
        );
        assert_eq!((closing.passed, closing.failed, closing.skipped), (5, 2, 2));
        assert_eq!(closing.lines(), [line.trim()]);
        let coloured = "\u{1b}[32;1m     Summary\u{1b}[0m [   0.005s] \u{1b}[1m1\u{1b}[0m test run: \u{1b}[1m1\u{1b}[0m \u{1b}[32;1mpassed\u{1b}[0m, \u{1b}[1m0\u{1b}[0m skipped";
        assert_eq!(seen(Runner::Nextest, &[coloured]).passed, 1);
    }

    #[test]
    fn binaries_of_cargo_test_are_added_up() {
        let closing = seen(
            Runner::CargoTest,
            &[
                "test a ... ok",
                "test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.00s",
                "test result: FAILED. 2 passed; 1 failed; 0 ignored; 0 measured; 4 filtered out; finished in 1.00s",
            ],
        );
        assert_eq!(closing.lines(), ["test result: FAILED. 5 passed; 1 failed; 1 ignored"]);
        assert_eq!(closing.ran(), 6);
    }

    #[test]
    fn a_failure_that_no_test_reports_is_still_a_failure() {
        let sum = Closing::default().and(&seen(Runner::CargoTest, &["test result: ok. 3 passed; 0 failed; 0 ignored"]));
        assert_eq!(sum.sentence(true), "test result: FAILED. 3 passed; 0 failed; 0 skipped");
        assert_eq!(sum.sentence(false), "test result: ok. 3 passed; 0 failed; 0 skipped");
    }
}
