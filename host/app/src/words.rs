//! What may be told of a failure to people who did not ask for a contact's words. The host's own sentences hold none; what a
//! script throws, or a plugin of a stranger says, may quote a message, and is told only when words are wanted.

use pointsman_core::clock::Instant;
use pointsman_core::event::v1;
use pointsman_core::failure::Failure;

/// Codes whose sentences are the host's, the interpreter's or a shipped channel's, by how they begin.
const OURS: [&str; 41] = [
    "limit.",
    "denied.",
    "provider.",
    "sandbox.",
    "send.",
    "journal.",
    "expr.",
    "channel.",
    "webhook.",
    "workflow.",
    "replay.",
    "store.",
    "egress.",
    "credential.",
    "unsupported.",
    "reply.",
    "tag.",
    "untag.",
    "note.",
    "assign.",
    "set.",
    "template.",
    "run.",
    "ask.",
    "wait.",
    "approve.",
    "approval.",
    "each.",
    "step.",
    "spend.",
    "script.error",
    "script.syntax",
    "script.wait_not_supported",
    "plugin.trap",
    "plugin.unknown",
    "plugin.not_pinned",
    "plugin.yanked",
    "plugin.gone",
    "plugin.unread",
    "retried",
    "dropped_by_operator",
];

/// What stands in the place of words that were not asked for.
pub const HIDDEN: &str = "its own words are shown with --reveal";

/// A failure as it may be told: with its sentence when words are wanted or the sentence is ours. `said` are the texts that
/// must not show; where one stands in a sentence of ours, it is cut out.
#[must_use]
pub fn told(failure: &Failure, said: &[String], reveal: bool) -> Failure {
    if reveal {
        return failure.clone();
    }
    let ours = OURS.iter().any(|ours| failure.code.starts_with(ours));
    let message = if ours { cut_out(&failure.message, said) } else { HIDDEN.to_owned() };
    Failure { message, ..failure.clone() }
}

/// A text without the texts that must not show. Those of less than three characters hide nothing that could be recognized.
#[must_use]
pub fn cut_out(text: &str, said: &[String]) -> String {
    let mut text = text.to_owned();
    for word in said.iter().filter(|word| word.chars().count() >= 3) {
        text = text.replace(word.as_str(), "…");
    }
    text
}

/// What to do about a code, in one sentence; `None` where the failure's own sentence is the best advice there is.
#[must_use]
pub fn cure(code: &str) -> Option<&'static str> {
    let known = [
        (
            "provider.unauthorized",
            "give the channel a fresh token, then `pointsman park retry --all --code provider.unauthorized`",
        ),
        ("provider.revoked", "connect the account again with the provider, then retry"),
        (
            "provider.window_closed",
            "only a template may be sent now: wait until the contact writes, or send a template; then drop it",
        ),
        ("provider.unreachable", "the contact cannot be reached on this channel; drop it"),
        ("provider.rejected", "mend what the provider refuses in the workflow and publish it; then drop this one, or retry it"),
        ("provider.rate_limited", "it is tried again by itself; retry it when it is parked, or send less"),
        ("provider.unsupported", "the channel cannot do this; change the workflow, then drop it"),
        ("provider.malformed", "the channel's plugin or what it was given is wrong; update it, then retry"),
        ("provider.retryable", "the provider was unwell for longer than retries last; retry it"),
        ("send.unknown", "look with the provider whether it arrived, then retry or drop it"),
        ("send.lost", "retry it when the provider answers again"),
        ("limit.", "make the step do less, or divide its work; then retry the run"),
        (
            "denied.",
            "grant what the step asks for (`pointsman plugin list` names it), or take it out of the workflow; then retry the run",
        ),
        ("spend.cap", "answer it yourself, or raise the cap in [models], start the host again and retry the run"),
        (
            "approval.",
            "drop it: it is not what a person approved, and nothing of it left; `pointsman run list` shows what its run does now",
        ),
        ("script.", "mend the script and publish it: new messages take the new version; then drop this run, or retry it"),
        ("expr.", "mend the expression and publish it: new messages take the new version; then drop this run, or retry it"),
        ("webhook.unreadable", "update the channel's plugin, then retry"),
        ("channel.disconnected", "connect the channel again, then retry"),
        ("channel_disconnected", "connect the channel again, then retry"),
        ("plugin.yanked", "have the run go on with another version: `pointsman run retry RUN --with PLUGIN`"),
        ("plugin.gone", "have the run go on with another version: `pointsman run retry RUN --with PLUGIN`"),
        ("workflow.missing", "bring back the plugin that the version uses, then retry the run"),
        ("egress.", "the provider could not be reached: see to network and DNS, then retry"),
        ("reply_pace", "see who writes there; retry it if it is a person, or allow more in [limits] replies_a_minute"),
        ("run_failed", "see to its failed run, then retry or drop that one"),
        ("store.", "see the host's log: a row does not open; retry when the cause is gone"),
    ];
    known.into_iter().find(|(start, _)| code.starts_with(start)).map(|(_, cure)| cure)
}

/// A moment for people, in UTC.
#[must_use]
pub fn moment(at: Instant) -> String {
    let text = v1::timestamp(at).unwrap_or_else(|| at.to_string());
    let text = text.split('.').next().unwrap_or_default().trim_end_matches('Z').replace('T', " ");
    format!("{text} UTC")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_guests_words_and_a_contacts_words_are_not_told_unasked() {
        let said = vec!["a secret wish".to_owned(), "no".to_owned()];
        let check = |code: &str, message: &str| told(&Failure::bug(code, message), &said, false).message;
        assert_eq!(check("script.thrown", "she said: secret"), HIDDEN);
        assert_eq!(check("acme.broken", "secret"), HIDDEN);
        assert_eq!(check("limit.cpu", "too long for a secret wish"), "too long for …");
        assert_eq!(check("limit.cpu", "no more than 50 ms"), "no more than 50 ms");
        assert_eq!(told(&Failure::bug("script.thrown", "secret"), &said, true).message, "secret");
    }

    #[test]
    fn a_moment_is_told_to_the_second() {
        assert_eq!(moment(1_790_000_000_123), "2026-09-21 14:13:20 UTC");
    }
}
