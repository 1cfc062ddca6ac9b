//! What stands on a page: commands with what they print, files, parts of files, and stage directions.
//!
//! - Four spaces of indentation, or `$ ` in a ```` ```console ```` block: a command. What follows it in the block is what it
//!   prints; `…` stands for anything, alone on a line for any lines. `# exit code 1` at a command's end says how it ends. A
//!   backslash at a line's end goes on in the next line.
//! - A line `` `path`: `` before a block: the block is that file.
//! - Any other block: a part of a file, which is checked by itself.
//! - `<!-- test: ... -->`: what happens in the world meanwhile (somebody writes, a provider refuses). Readers do not see it.

use std::path::PathBuf;

/// Something on a page, with its line.
#[derive(Debug, PartialEq)]
pub struct Item {
    pub line: usize,
    pub what: What,
}

#[derive(Debug, PartialEq)]
pub enum What {
    Command { text: String, prints: Vec<String>, code: i32 },
    File { path: PathBuf, text: String },
    Part { language: String, text: String },
    Direction(String),
}

/// Reads a page from top to bottom.
pub fn read(page: &str) -> Vec<Item> {
    let mut items = Vec::new();
    let mut lines = page.lines().zip(1..).peekable();
    let (mut blank, mut named) = (true, None);
    while let Some((text, line)) = lines.next() {
        let mut add = |line, what| items.push(Item { line, what });
        if let Some(language) = text.strip_prefix("```") {
            let block: Vec<(&str, usize)> = lines.by_ref().take_while(|(text, _)| *text != "```").collect();
            let whole = || block.iter().map(|(text, _)| format!("{text}\n")).collect::<String>();
            match (language, named.take()) {
                ("console", _) => session(&block).into_iter().for_each(|item| add(item.line, item.what)),
                (_, Some(path)) => add(line, What::File { path, text: whole() }),
                (language, None) => add(line, What::Part { language: language.to_owned(), text: whole() }),
            }
            blank = true;
            continue;
        }
        if let Some(direction) = text.strip_prefix("<!-- test: ") {
            add(line, What::Direction(direction.trim_end_matches("-->").trim().to_owned()));
        } else if let Some(text) = text.strip_prefix("    ").filter(|_| blank) {
            let mut whole = text.to_owned();
            while whole.ends_with('\\') {
                whole = format!("{whole}\n{}", lines.next().expect("a next line").0);
            }
            add(line, command(&whole, &[]));
            continue;
        }
        if !text.is_empty() {
            named = text.strip_prefix('`').and_then(|t| t.strip_suffix("`:")).filter(|t| !t.contains('`')).map(PathBuf::from);
        }
        blank = text.is_empty();
    }
    items
}

fn command(text: &str, prints: &[&str]) -> What {
    let code = text.split_once("# exit code ").and_then(|(_, rest)| rest.split([' ', ':']).next()?.parse().ok()).unwrap_or(0);
    What::Command { text: text.to_owned(), prints: prints.iter().map(|s| (*s).to_owned()).collect(), code }
}

fn session(block: &[(&str, usize)]) -> Vec<Item> {
    let starts: Vec<usize> = (0..block.len()).filter(|at| block[*at].0.starts_with("$ ")).collect();
    assert_eq!(starts.first(), Some(&0), "a console block begins with `$ `: {block:?}");
    let ends = starts.iter().skip(1).copied().chain([block.len()]);
    let one = |(start, end): (&usize, usize)| {
        let lines: Vec<&str> = block[*start..end].iter().map(|(text, _)| *text).collect();
        let typed = lines.iter().take_while(|line| line.ends_with('\\')).count() + 1;
        Item { line: block[*start].1, what: command(&lines[..typed].join("\n")[2..], &lines[typed..]) }
    };
    starts.iter().zip(ends).map(one).collect()
}

/// Whether what was printed is what the page shows.
pub fn agrees(shown: &[String], printed: &[&str]) -> bool {
    match shown.split_first() {
        None => printed.is_empty(),
        Some((line, rest)) if line == "…" => (0..=printed.len()).any(|skip| agrees(rest, &printed[skip..])),
        Some((line, rest)) => printed.split_first().is_some_and(|(first, more)| fits(line, first) && agrees(rest, more)),
    }
}

/// One line, in which `…` stands for anything.
fn fits(shown: &str, printed: &str) -> bool {
    match shown.split_once('…') {
        None => shown == printed,
        Some((head, rest)) => printed.strip_prefix(head).is_some_and(|left| {
            let mut cuts = left.char_indices().map(|(at, _)| at).chain([left.len()]);
            cuts.any(|at| fits(rest, &left[at..]))
        }),
    }
}

#[test]
fn a_page_is_read_in_its_order() {
    let page = "Do:\n\n    make a\n    make b  # exit code 1: it is\n\nand\n\n```console\n$ say hi\nhi …\n$ say \\\n  ho\nho\n```\n\n\
                `x/a.yaml`:\n\n```yaml\nname: a\n```\n\n<!-- test: Ana writes: hi -->\n\n```toml\na = 1\n```\n";
    let run = |text: &str, prints: &[&str], code| What::Command {
        text: text.into(),
        prints: prints.iter().map(|s| (*s).into()).collect(),
        code,
    };
    let expected = [
        (3, run("make a", &[], 0)),
        (4, run("make b  # exit code 1: it is", &[], 1)),
        (9, run("say hi", &["hi …"], 0)),
        (11, run("say \\\n  ho", &["ho"], 0)),
        (18, What::File { path: "x/a.yaml".into(), text: "name: a\n".into() }),
        (22, What::Direction("Ana writes: hi".into())),
        (24, What::Part { language: "toml".into(), text: "a = 1\n".into() }),
    ];
    assert_eq!(read(page), expected.map(|(line, what)| Item { line, what }));
}

#[test]
fn what_is_printed_is_compared() {
    let check = |shown: &[&str], printed: &[&str]| {
        let shown: Vec<String> = shown.iter().map(|s| (*s).to_owned()).collect();
        agrees(&shown, printed)
    };
    assert!(check(&["a", "b … d", "…", "z"], &["a", "b c d", "x", "y", "z"]));
    assert!(check(&["…"], &[]) && check(&["a…"], &["a"]));
    assert!(!check(&["a"], &["a", "b"]) && !check(&["a", "b"], &["a"]) && !check(&["a … c"], &["a b"]));
}
