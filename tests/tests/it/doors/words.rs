//! The words of the command line that a page uses: every verb and flag must be one that `--help` knows.

use std::collections::BTreeMap;
use std::process::Command;

use crate::support::binary;

/// What `--help` says, by the verbs before it.
#[derive(Default)]
pub struct Helps(BTreeMap<Vec<String>, String>);

impl Helps {
    fn of(&mut self, verbs: &[String]) -> &str {
        self.0.entry(verbs.to_vec()).or_insert_with(|| {
            // `try` takes the plugin before what is done with it.
            let words = verbs.iter().flat_map(|v| if v == "try" { vec!["try", "PLUGIN"] } else { vec![v.as_str()] });
            let output = Command::new(binary()).args(words).arg("--help").output().expect("the binary runs");
            assert!(output.status.success(), "{verbs:?} --help");
            String::from_utf8(output.stdout).expect("text")
        })
    }

    /// The verbs below these.
    fn below(&mut self, verbs: &[String]) -> Vec<String> {
        let help = self.of(verbs);
        let list = help.split_once("\nCommands:\n").map(|(_, rest)| rest.split_once("\n\n").map_or(rest, |(list, _)| list));
        list.unwrap_or_default().lines().filter_map(|l| l.split_whitespace().next()).map(str::to_owned).collect()
    }

    /// What `--help` does not know of `pointsman ...`; `None` when it knows it all.
    fn unknown(&mut self, words: &[&str]) -> Option<String> {
        let mut verbs: Vec<String> = Vec::new();
        let mut skip = 0;
        for word in words {
            let below = self.below(&verbs);
            if word.starts_with("--") {
                let flag = word.split(['=', ',', '`']).next().unwrap_or_default();
                if !flags(self.of(&verbs)).any(|known| known == flag) {
                    return Some(format!("pointsman {}: no flag {flag}", verbs.join(" ")));
                }
            } else if skip > 0 {
                skip -= 1;
            } else if below.iter().any(|known| known == word) {
                skip = usize::from(*word == "try");
                verbs.push((*word).to_owned());
            } else if !below.is_empty() && word.chars().all(|c| c.is_ascii_lowercase()) && !self.of(&verbs).contains("<PLUGIN>") {
                return Some(format!("pointsman {}: no verb {word}", verbs.join(" ")));
            }
        }
        None
    }

    /// Everything on a page that looks like a use of `pointsman`, and is none; and every flag that stands alone.
    pub fn strangers(&mut self, page: &str) -> Vec<String> {
        let mut found = Vec::new();
        let mut block = false;
        let (mut prose, mut uses) = (String::new(), Vec::new());
        for line in page.lines() {
            if line.starts_with("```") {
                block = !block;
            } else if block || line.starts_with("    ") {
                uses.extend(line.split_once("pointsman ").filter(|(head, _)| begins(head)).map(|(_, rest)| rest.to_owned()));
            } else {
                prose.push_str(line);
                prose.push(' ');
            }
        }
        // Between backticks, in what is prose.
        let spans: Vec<&str> = prose.split('`').skip(1).step_by(2).collect();
        uses.extend(spans.iter().filter_map(|span| span.strip_prefix("pointsman ")).map(str::to_owned));
        for flag in spans.iter().filter(|span| span.starts_with("--")) {
            let flag = flag.split([' ', '=']).next().unwrap_or_default();
            if !self.everywhere().iter().any(|known| known == flag) {
                found.push(format!("no verb has the flag {flag}"));
            }
        }
        for text in &uses {
            let text = text.split('#').next().unwrap_or_default();
            // What stands in quotes is an argument, whatever it looks like.
            let bare: String = text.split('\'').step_by(2).collect::<Vec<_>>().join("'");
            let words: Vec<&str> = bare.split(['|', '>', '&', ';']).next().unwrap_or_default().split_whitespace().collect();
            found.extend(self.unknown(&words));
        }
        found
    }

    fn everywhere(&mut self) -> Vec<String> {
        let mut open = vec![Vec::new()];
        let mut found = Vec::new();
        while let Some(verbs) = open.pop() {
            found.extend(flags(self.of(&verbs)).map(str::to_owned));
            for verb in self.below(&verbs).into_iter().filter(|verb| verb != "help") {
                open.push([verbs.clone(), vec![verb]].concat());
            }
        }
        found
    }
}

/// Whether a command may begin here: the program's name, not a part of a path or a name.
fn begins(head: &str) -> bool {
    head.is_empty() || head.ends_with([' ', '/', '(', '=', '|'])
}

/// The flags in a help text.
fn flags(help: &str) -> impl Iterator<Item = &str> {
    help.split(|c: char| !(c.is_ascii_alphanumeric() || c == '-')).filter(|word| word.starts_with("--"))
}

#[test]
fn a_word_that_help_does_not_know_is_found() {
    let mut helps = Helps::default();
    let good =
        "See `pointsman channel add telegram --wait 60` and `--force`.\n\n    pointsman plugin try keyword run --input '{}'\n";
    assert_eq!(helps.strangers(good), Vec::<String>::new());
    for bad in ["`pointsman chanel add`", "`pointsman channel ad`", "`pointsman why X --revel`", "say `--forse`"] {
        assert_eq!(helps.strangers(bad).len(), 1, "{bad}");
    }
    for bad in ["    pointsman plugin try keyword run --inputs 1", "```console\n$ pointsman park lst\n```"] {
        assert_eq!(helps.strangers(bad).len(), 1, "{bad}");
    }
}
