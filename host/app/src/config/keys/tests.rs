//! Where a master key comes from, and how each way fails: by a code, and with nothing of the key.

use super::*;

fn keys(command: &[&str], patience: u64) -> Keys {
    let config = crate::config::Config::layered(Path::new("/x"), "[keys]\nmaster = \"command\"", []).unwrap();
    Keys { command: command.iter().map(|&word| word.to_owned()).collect(), command_timeout: patience, ..config.keys }
}

fn refusal(keys: &Keys) -> (String, String) {
    let error = keys.read_master(Path::new("/x")).unwrap_err();
    let failure = error.downcast::<Failure>().unwrap();
    (failure.code, failure.message)
}

#[test]
fn a_program_gives_the_key() {
    let text = MasterKey::generate().unwrap().to_text();
    let given = keys(&["printf", "%s\\n", &text], 5_000).read_master(Path::new("/x")).unwrap();
    assert_eq!(given.to_text(), text);
}

#[test]
fn a_program_that_fails_hangs_or_prints_rubbish_is_told_by_a_code_and_no_key_with_it() {
    let text = MasterKey::generate().unwrap().to_text();
    let spoiled = text.replace(&text[8..11], "###");
    let cases: &[(&[&str], u64, &str, &str)] = &[
        (&[], 5_000, "keys.no_command", "names none"),
        (&["/nowhere/kms"], 5_000, "keys.command_failed", "cannot be run"),
        (&["sh", "-c", "echo no such alias >&2; exit 3"], 5_000, "keys.command_failed", "exit status: 3: no such alias"),
        (&["sh", "-c", &format!("echo {} >&2; exit 3", text.as_str())], 5_000, "keys.command_failed", "holds a key"),
        (&["sh", "-c", &format!("echo {}; exit 3", text.as_str())], 5_000, "keys.command_failed", "exit status: 3"),
        (&["sleep", "60"], 200, "keys.command_timeout", "200 ms"),
        // A child of the program that keeps its output open.
        (&["sh", "-c", "sleep 60 & echo x"], 200, "keys.command_timeout", "200 ms"),
        (&["echo", "hello"], 5_000, "keys.command_output", "no master key"),
        (&["echo", &spoiled], 5_000, "keys.command_output", "no master key"),
        (&["true"], 5_000, "keys.command_output", "no master key"),
        (&["head", "-c", "100000", "/dev/zero"], 5_000, "keys.command_output", "more than"),
        (&["printf", "\\377"], 5_000, "keys.command_output", "no text"),
    ];
    for (command, patience, code, says) in cases {
        let (got, message) = refusal(&keys(command, *patience));
        assert_eq!(got, *code, "{command:?}: {message}");
        assert!(message.contains(says), "{command:?}: {message}");
        assert!(!message.contains(&text[6..]) && !message.contains(&spoiled[6..]), "{command:?}: the key stands in {message}");
    }
}

#[test]
fn a_source_is_named_and_never_the_key_itself() {
    assert_eq!(Source::parse("x", "file:a/b").unwrap(), Source::File("a/b"));
    assert_eq!(Source::parse("x", "env:KEY").unwrap(), Source::Variable("KEY"));
    assert_eq!(Source::parse("x", "command").unwrap(), Source::Command);
    let text = MasterKey::generate().unwrap().to_text();
    for wrong in [text.as_str(), "file:", "env:", "", "command:ls", "kms"] {
        let refused = Source::parse("[keys] master", wrong).unwrap_err();
        assert_eq!(refused.code, "keys.source");
        assert!(wrong.len() < 10 || !refused.message.contains(wrong));
    }
}
