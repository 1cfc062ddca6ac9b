//! Finds words in a text. The first rule that fits gives the answer; capitals and accents make no difference ("CAFÉ" is
//! "cafe"), and a word is a word, not a part of one ("no" is not in "now"), unless the rule says otherwise.

mod fold;
mod rules;

use pointsman_sdk::prelude::*;
use rules::{Found, Rule};

/// The step plugin.
pub struct Keyword;

/// What the workflow passes.
#[derive(Debug, Deserialize)]
pub struct Input {
    text: Option<String>,
    rules: Option<Vec<Rule>>,
}

/// The operator's settings.
#[derive(Debug, Deserialize)]
pub struct Config {
    #[serde(default)]
    rules: Vec<Rule>,
}

/// What later steps see.
#[derive(Debug, Serialize)]
pub struct Output {
    matched: bool,
    rule: Option<String>,
    words: Vec<String>,
}

impl Step for Keyword {
    type Input = Input;
    type Config = Config;
    type Output = Output;

    fn run(_: &Context, input: Input, config: Config) -> Result<Output, Failure> {
        let rules = input.rules.unwrap_or(config.rules);
        if let Some(at) = rules.iter().position(Rule::is_empty) {
            let number = at + 1;
            return Err(Failure::rejected("empty-rule", format!("rule {number} has no words: give it `any` or `all`")));
        }
        Ok(match rules::first(&rules, input.text.as_deref().unwrap_or_default()) {
            Some(Found { rule, words }) => Output { matched: true, rule: Some(rule.name().into()), words },
            None => Output { matched: false, rule: None, words: Vec::new() },
        })
    }
}

export_step!(Keyword);

#[cfg(test)]
mod tests;
