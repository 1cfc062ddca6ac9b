//! `act`: what the step wants done. Nothing is done here; the wishes are noted in order and carried out by the host when the
//! call has ended well. No function has a recipient. Attack stopped here: a storm of sends (256 effects and 1 MiB a call).

use pointsman_core::effect::Effect;
use pointsman_core::event::Message;
use pointsman_core::permission::Permission;
use pointsman_core::ports::Refusal;
use pointsman_manifest::EffectKind;

use super::{Answered, answer};
use crate::ctx::{Ctx, Leg};
use crate::json;
use crate::world::act::Host;
use crate::world::convert::IntoCore as _;
use crate::world::types;

impl Ctx {
    /// Checks the grant.
    fn may_act(&mut self, kind: EffectKind, word: &str) -> Result<&mut Leg, Refusal> {
        let leg = self.called();
        leg.may(&Permission::Act(kind), &format!("act = {{ effects = [\"{word}\"], why = \"...\" }}"))?;
        Ok(leg)
    }

    fn say(
        &mut self,
        kind: EffectKind,
        word: &str,
        message: types::Message,
        effect: fn(Message) -> Effect,
    ) -> Result<(), Refusal> {
        let leg = self.may_act(kind, word)?;
        let bytes = size(&message);
        let message: Message = message.into_core()?;
        if message.text.is_none() && message.attachments.is_empty() && message.extra.is_none() {
            return Err(Refusal::Invalid("the message is empty: it has neither text nor attachment".to_owned()));
        }
        leg.want(effect(message), bytes)
    }

    fn word(&mut self, kind: EffectKind, word: &str, text: String, effect: fn(String) -> Effect) -> Result<(), Refusal> {
        let leg = self.may_act(kind, word)?;
        if text.is_empty() {
            return Err(Refusal::Invalid(format!("`{word}` was given an empty text")));
        }
        let bytes = text.len();
        leg.want(effect(text), bytes)
    }
}

/// Bytes of a message, about.
fn size(message: &types::Message) -> usize {
    let of = |text: &Option<String>| text.as_ref().map_or(0, String::len);
    let files = message.attachments.iter().map(|a| {
        let media = match &a.media {
            types::Media::None => 0,
            types::Media::Url(s) | types::Media::Provider(s) | types::Media::Blob(s) => s.len(),
        };
        64 + media + of(&a.mime_type) + of(&a.file_name) + of(&a.extra)
    });
    let choices = message.choices.iter().map(|c| 32 + c.title.len() + c.payload.len() + of(&c.url));
    of(&message.text) + of(&message.reply_to) + of(&message.extra) + files.sum::<usize>() + choices.sum::<usize>()
}

impl Host for Ctx {
    fn reply(&mut self, message: types::Message) -> Answered<()> {
        answer(self.say(EffectKind::Reply, "reply", message, Effect::Reply))
    }

    fn send_template(&mut self, template: types::Template) -> Answered<()> {
        answer(self.may_act(EffectKind::Template, "template").and_then(|leg| {
            let texts = template.parameters.iter().chain(&template.extra).map(|text| 16 + text.len());
            let bytes = template.name.len() + template.language.len() + texts.sum::<usize>();
            leg.want(Effect::Template(template.into_core()?), bytes)
        }))
    }

    fn draft(&mut self, message: types::Message) -> Answered<()> {
        let before = self.called().effects.iter().any(|effect| matches!(effect, Effect::Draft(_)));
        let again = || Refusal::Invalid("a step drafts one message: a person decides on one at a time".to_owned());
        answer(if before { Err(again()) } else { self.say(EffectKind::Draft, "draft", message, Effect::Draft) })
    }

    fn tag(&mut self, tag: String) -> Answered<()> {
        answer(self.word(EffectKind::Tag, "tag", tag, Effect::Tag))
    }

    fn untag(&mut self, tag: String) -> Answered<()> {
        answer(self.word(EffectKind::Untag, "untag", tag, Effect::Untag))
    }

    fn note(&mut self, text: String) -> Answered<()> {
        answer(self.word(EffectKind::Note, "note", text, Effect::Note))
    }

    fn assign(&mut self, to: String) -> Answered<()> {
        answer(if to.starts_with("team/") || to.starts_with("agent/") {
            self.word(EffectKind::Assign, "assign", to, Effect::Assign)
        } else {
            self.may_act(EffectKind::Assign, "assign")
                .and_then(|_| Err(Refusal::Invalid("`assign` wants \"team/NAME\" or \"agent/NAME\"".to_owned())))
        })
    }

    fn set(&mut self, name: String, value: String) -> Answered<()> {
        answer(self.may_act(EffectKind::Set, "set").and_then(|leg| {
            let bytes = name.len() + value.len();
            let value = json::parse(&value)?;
            leg.want(Effect::Set { name, value }, bytes)
        }))
    }

    fn emit(&mut self, name: String, data: String) -> Answered<()> {
        answer(self.may_act(EffectKind::Emit, "emit").and_then(|leg| {
            let bytes = name.len() + data.len();
            let data = json::parse(&data)?;
            leg.want(Effect::Emit { name, data }, bytes)
        }))
    }
}
