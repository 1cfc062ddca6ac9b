//! A step that calls every import of its world with whatever its input makes of the arguments. The input is a text whose
//! characters are bytes: each call draws its name and its arguments from them, until none are left.

wit_bindgen::generate!({ path: "../../../sdk/wit/v0.1.0", world: "step" });

use exports::pointsman::plugin::work::{Call, Guest, Outcome};
use pointsman::plugin::model::{Prompt, Role, Turn};
use pointsman::plugin::types::{
    Attachment, AttachmentKind, BasicUser, Body, Choice, Credential, Failure, Field, Header, HeaderPlace, HttpRequest, Media, Message,
    Method, Part, PartContent, Placement, Template,
};
use pointsman::plugin::{act, clock, conversation, http, knowledge, log, model, random, state};

struct Babbler;

export!(Babbler);

/// More would be the same again.
const CALLS: usize = 24;

impl Guest for Babbler {
    fn run(call: Call) -> Result<Outcome, Failure> {
        let text: String = serde_json::from_str(&call.input).unwrap_or_default();
        let bytes: Vec<u8> = text.chars().map(|c| c as u8).collect();
        let mut draw = Draw { bytes: &bytes, all: &bytes };
        let mut refused = 0;
        for _ in 0..CALLS {
            if draw.bytes.is_empty() {
                break;
            }
            refused += usize::from(!draw.call());
        }
        Ok(Outcome::Done(refused.to_string()))
    }
}

/// What is left of the bytes, and all of them, from which long texts are made.
struct Draw<'a> {
    bytes: &'a [u8],
    all: &'a [u8],
}

impl Draw<'_> {
    fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.bytes.split_first() else { return 0 };
        self.bytes = rest;
        *first
    }

    fn number(&mut self) -> u64 {
        match self.byte() {
            byte @ 0..=200 => byte.into(),
            byte @ 201..=240 => 1 << (byte - 201),
            byte => u64::MAX - u64::from(255 - byte),
        }
    }

    fn few(&mut self) -> usize {
        match self.byte() {
            byte @ 0..=250 => usize::from(byte % 4),
            251 => 65,
            252 => 257,
            _ => 1_001,
        }
    }

    fn raw(&mut self) -> Vec<u8> {
        let length = match self.byte() {
            byte @ 0..=247 => usize::from(byte % 48),
            byte => 300 << (2 * (byte - 248)),
        };
        if length < 48 {
            return (0..length.min(self.bytes.len())).map(|_| self.byte()).collect();
        }
        self.all.iter().copied().cycle().take(if self.all.is_empty() { 0 } else { length }).collect()
    }

    fn text(&mut self) -> String {
        String::from_utf8_lossy(&self.raw()).into_owned()
    }

    fn perhaps<T>(&mut self, make: impl FnOnce(&mut Self) -> T) -> Option<T> {
        (self.byte() & 1 == 1).then(|| make(self))
    }

    fn several<T>(&mut self, mut make: impl FnMut(&mut Self) -> T) -> Vec<T> {
        (0..self.few()).map(|_| make(self)).collect()
    }

    fn scope(&mut self) -> state::Scope {
        match self.byte() % 3 {
            0 => state::Scope::Conversation,
            1 => state::Scope::Contact,
            _ => state::Scope::Workspace,
        }
    }

    fn message(&mut self) -> Message {
        Message {
            id: self.perhaps(Self::text),
            text: self.perhaps(Self::text),
            attachments: self.several(|draw| Attachment {
                kind: if draw.byte() & 1 == 0 { AttachmentKind::Image } else { AttachmentKind::Location },
                media: match draw.byte() % 4 {
                    0 => Media::None,
                    1 => Media::Url(draw.text()),
                    2 => Media::Provider(draw.text()),
                    _ => Media::Blob(draw.text()),
                },
                mime_type: draw.perhaps(Self::text),
                file_name: draw.perhaps(Self::text),
                size_bytes: draw.perhaps(Self::number),
                extra: draw.perhaps(Self::text),
            }),
            choices: self.several(|draw| Choice { title: draw.text(), payload: draw.text(), url: draw.perhaps(Self::text) }),
            reply_to: self.perhaps(Self::text),
            extra: self.perhaps(Self::text),
        }
    }

    fn request(&mut self) -> HttpRequest {
        HttpRequest {
            method: if self.byte() & 1 == 0 { Method::Get } else { Method::Post },
            url: self.text(),
            headers: self.several(|draw| Header { name: draw.text(), value: draw.text() }),
            body: match self.byte() % 5 {
                0 => Body::None,
                1 => Body::Bytes(self.raw()),
                2 => Body::Blob(self.text()),
                3 => Body::Form(self.several(|draw| Field { name: draw.text(), value: draw.text() })),
                _ => Body::Multipart(self.several(|draw| Part {
                    name: draw.text(),
                    file_name: draw.perhaps(Self::text),
                    mime_type: draw.perhaps(Self::text),
                    content: if draw.byte() & 1 == 0 { PartContent::Text(draw.text()) } else { PartContent::Bytes(draw.raw()) },
                })),
            },
            credentials: self.several(|draw| Credential {
                slot: draw.text(),
                place: match draw.byte() % 8 {
                    0 => Placement::Bearer,
                    1 => Placement::BasicPassword(BasicUser { user: draw.text() }),
                    2 => Placement::BasicUserName,
                    3 => Placement::Header(HeaderPlace { name: draw.text(), prefix: draw.text() }),
                    4 => Placement::Query(draw.text()),
                    5 => Placement::Path(draw.text()),
                    6 => Placement::FormField(draw.text()),
                    _ => Placement::JsonField(draw.text()),
                },
            }),
            keep_body: self.byte() & 1 == 1,
            timeout: self.perhaps(Self::number),
        }
    }

    /// One call; whether the host did it.
    fn call(&mut self) -> bool {
        match self.byte() % 24 {
            0 => log::log(log::Level::Warn, &self.text()),
            1 => return conversation::get().is_ok(),
            2 => return conversation::history(self.number() as u32).is_ok(),
            3 => return state::get(self.scope(), &self.text()).is_ok(),
            4 => return state::set(self.scope(), &self.text(), &self.text(), self.perhaps(Self::number)).is_ok(),
            5 => return state::delete(self.scope(), &self.text()).is_ok(),
            6 => return state::add(self.scope(), &self.text(), self.number() as i64).is_ok(),
            7 => return knowledge::search(&self.text(), &self.text(), self.number() as u32).is_ok(),
            8 => {
                let prompt = Prompt {
                    model: self.perhaps(Self::text),
                    turns: self.several(|draw| Turn {
                        role: if draw.byte() & 1 == 0 { Role::User } else { Role::System },
                        text: draw.text(),
                    }),
                    schema: self.perhaps(Self::text),
                    max_tokens: self.perhaps(|draw| draw.number() as u32),
                    temperature: self.perhaps(|draw| f32::from_bits(draw.number() as u32)),
                };
                return model::chat(&prompt).is_ok();
            }
            9 => {
                let (name, texts) = (self.perhaps(Self::text), self.several(Self::text));
                return model::embed(name.as_deref(), &texts).is_ok();
            }
            10 => return http::send(&self.request()).is_ok(),
            11 => return act::reply(&self.message()).is_ok(),
            12 => {
                let template = Template {
                    name: self.text(),
                    language: self.text(),
                    parameters: self.several(Self::text),
                    extra: self.perhaps(Self::text),
                };
                return act::send_template(&template).is_ok();
            }
            13 => return act::draft(&self.message()).is_ok(),
            14 => return act::tag(&self.text()).is_ok(),
            15 => return act::untag(&self.text()).is_ok(),
            16 => return act::note(&self.text()).is_ok(),
            17 => return act::assign(&self.text()).is_ok(),
            18 => return act::set(&self.text(), &self.text()).is_ok(),
            19 => return act::emit(&self.text(), &self.text()).is_ok(),
            20 => drop(clock::now()),
            21 => drop(random::bytes((self.number() as u32) & 0xff_ffff)),
            22 => drop(random::next()),
            _ => return http::send(&HttpRequest { url: "https://api.example.com/".to_owned(), ..self.request() }).is_ok(),
        }
        true
    }
}
