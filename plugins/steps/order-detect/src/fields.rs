//! Everything but the things: who orders, where to, for when, and how it is paid. Each is a span of what was said, or one of a
//! few words, with how sure it is.

pub(crate) mod address;
pub(crate) mod name;
pub(crate) mod phone;
pub(crate) mod when;

use crate::lexicon::Tag;
use crate::read::Text;

/// A value and how sure it is, from 0 to 1.
pub(crate) type Found = Option<(String, f32)>;

/// What a message tells beside the things.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Fields {
    pub(crate) name: Found,
    pub(crate) phone: Found,
    pub(crate) address: Found,
    pub(crate) date: Found,
    pub(crate) time: Found,
    pub(crate) people: Found,
    pub(crate) fulfilment: Found,
    pub(crate) payment: Found,
}

impl Fields {
    /// What was told later counts.
    pub(crate) fn hear(&mut self, told: Self) {
        let Self { name, phone, address, date, time, people, fulfilment, payment } = told;
        let pairs = [
            (&mut self.name, name),
            (&mut self.phone, phone),
            (&mut self.address, address),
            (&mut self.date, date),
            (&mut self.time, time),
            (&mut self.people, people),
            (&mut self.fulfilment, fulfilment),
            (&mut self.payment, payment),
        ];
        for (place, told) in pairs {
            if told.is_some() {
                *place = told;
            }
        }
    }
}

/// What the last question asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Asked {
    /// What shall it be?
    Items,
    /// Which size, which colour?
    Variant,
    /// Delivery or pick-up?
    Fulfilment,
    /// Where to?
    Address,
    /// On whose name?
    Name,
    /// Which number?
    Phone,
    /// Which day?
    Date,
    /// At what time?
    Time,
    /// For how many?
    People,
    /// How is it paid?
    Payment,
}

/// Reads the fields and takes their tokens, so that a house number is not read as a quantity. `is_thing` tells where a thing of
/// the catalogue is named.
pub(crate) fn read(text: &mut Text, country: &str, asked: Option<Asked>, is_thing: &[bool]) -> Fields {
    let phone = phone::read(text, country, asked == Some(Asked::Phone));
    let (date, time, people) = when::read(text, asked);
    let address = address::read(text, asked == Some(Asked::Address), is_thing);
    let name = name::read(text, asked == Some(Asked::Name), is_thing);
    let said = |span: Option<when::Span>, text: &Text| span.map(|span| (text.span(span.from, span.to).to_owned(), span.sure));
    let fulfilment = fulfilment(text).or_else(|| address.as_ref().map(|_| ("delivery".to_owned(), 0.6)));
    Fields {
        name,
        phone,
        fulfilment,
        date: said(date, text),
        time: said(time, text),
        people: said(people, text),
        address,
        payment: payment(text),
    }
}

fn fulfilment(text: &Text) -> Found {
    let mut found = None;
    for at in 0..text.len() {
        let counted = at > 0 && text.token(at - 1).is_some_and(|before| before.kind == crate::text::Kind::Number);
        let way = text.find(at, |t| match t {
            Tag::Pickup => Some("pickup"),
            Tag::Delivery => Some("delivery"),
            Tag::DineIn => Some("dine_in"),
            _ => None,
        });
        // "2 bungkus" counts bags, "bungkus" takes them away.
        if let Some((way, _)) = way.filter(|_| !counted && !text.is_taken(at)) {
            found = Some((way.to_owned(), 0.9));
        }
    }
    found
}

fn payment(text: &Text) -> Found {
    let ways = (0..text.len()).filter(|at| !text.is_taken(*at));
    let ways = ways.filter_map(|at| text.find(at, |t| if let Tag::Pay(way) = t { Some(way) } else { None }));
    ways.max_by_key(|(_, len)| *len).map(|(way, _)| (way.name().to_owned(), 0.9))
}
