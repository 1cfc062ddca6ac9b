//! A conversation: what each message does to the orders in it.

use crate::catalog::{Catalog, Hit};
use crate::fields::{self, Asked, Fields};
use crate::judge::{self, Weight};
use crate::lexicon::Tag;
use crate::lines::{Do, How, Line, Reader, Thing};
use crate::read::Text;
use crate::text::{Kind, fold};

/// What the messages that were heard did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Intent {
    /// No order.
    #[default]
    None,
    /// Told something about an order: a name, an address.
    Details,
    /// Changed what was ordered.
    Change,
    /// Ordered.
    Order,
    /// Called an order off.
    Cancel,
}

/// An order as it stands.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Order {
    pub(crate) lines: Vec<Line>,
    pub(crate) fields: Fields,
    pub(crate) cancelled: bool,
}

/// The conversation so far.
#[derive(Debug)]
pub(crate) struct Talk<'c> {
    catalog: &'c Catalog,
    country: &'c str,
    pub(crate) orders: Vec<Order>,
    /// The order that is spoken of.
    pub(crate) current: Option<usize>,
    /// The line that was named last.
    last: Option<usize>,
    pub(crate) intent: Intent,
    /// What was told in messages that speak of no order.
    pub(crate) heard: Fields,
    /// Of the strongest sentence for an order, and against one.
    pub(crate) weight: Weight,
}

/// Orders of a conversation and lines of an order at most; more is said to be too much.
pub(crate) const ORDERS: usize = 20;
pub(crate) const LINES: usize = 200;

impl<'c> Talk<'c> {
    /// Goes on with these orders.
    pub(crate) fn new(catalog: &'c Catalog, country: &'c str, orders: Vec<Order>) -> Self {
        let current = orders.iter().rposition(|order| !order.cancelled);
        let last = current.and_then(|at| orders.get(at)).and_then(|order| order.lines.len().checked_sub(1));
        Self {
            catalog,
            country,
            orders,
            current,
            last,
            intent: Intent::None,
            heard: Fields::default(),
            weight: Weight::default(),
        }
    }

    /// Hears the contact.
    pub(crate) fn hear(&mut self, said: &str, asked: Option<Asked>) {
        let mut text = Text::new(said);
        let mut hits = hits(&text, self.catalog);
        let things = covered(&hits);
        let fields = fields::read(&mut text, self.country, asked, &things);
        for (at, hit) in hits.iter_mut().enumerate() {
            *hit = hit.filter(|hit| !(at..at + hit.len).any(|at| text.is_taken(at)));
        }
        let open = self.current.is_some();
        // Lines that stood before this message: named again, they are meant again.
        let stood = self.current.and_then(|at| self.orders.get(at)).map_or(0, |order| order.lines.len());
        let first = self.orders.len();
        let mut intent = Intent::None;
        for (from, to) in sentences(&text) {
            let weight = judge::weigh(&text, from, to, &hits, open || self.current.is_some(), self.catalog.is_empty());
            self.weight = self.weight.stronger(weight);
            if !weight.counts(self.current.is_some()) {
                continue;
            }
            let done = Reader::new(&text, self.catalog, &hits).read(from, to);
            for one in done {
                // Where nothing says that something is ordered, unknown words are only words.
                let only_words =
                    matches!(&one, Do::Line(How::Add, line) if matches!(line.thing, Thing::Unknown(_))) && weight.sum() < 1;
                if !only_words {
                    intent = intent.max(self.apply(one, &text, stood));
                }
            }
            if weight.orders() {
                intent = intent.max(Intent::Order);
                self.present();
            }
            if weight.cancels() {
                intent = Intent::Cancel;
            }
        }
        self.tell(fields, intent, open, first);
    }

    /// Writes the fields into the orders that this message spoke of.
    fn tell(&mut self, fields: Fields, intent: Intent, open: bool, first: usize) {
        let told = fields != Fields::default();
        let mut intent = intent;
        if intent == Intent::None && open && told && self.weight.against == 0 {
            intent = Intent::Details;
        }
        if intent == Intent::None {
            return self.heard.hear(fields);
        }
        self.intent = self.intent.max(intent);
        // An order of a message that holds several has what was told for all of them.
        for (at, order) in self.orders.iter_mut().enumerate() {
            if (at >= first || Some(at) == self.current) && !order.cancelled {
                order.fields.hear(fields.clone());
            }
        }
    }

    /// The order that is spoken of; a new one if there is none.
    fn present(&mut self) -> Option<&mut Order> {
        if self.current.is_none() && self.orders.len() < ORDERS {
            self.orders.push(Order::default());
            (self.current, self.last) = (Some(self.orders.len() - 1), None);
        }
        self.orders.get_mut(self.current?)
    }

    fn apply(&mut self, one: Do, text: &Text, stood: usize) -> Intent {
        match one {
            Do::Line(how, line) => self.line(how, line, stood),
            Do::Amount(how, milli) => self.amount(how, milli),
            Do::Variant(how, at, milli) => {
                let Some(order) = self.open() else { return Intent::None };
                let full = order.lines.len() >= LINES;
                if full { Intent::None } else { self.variant(how, text, at, milli, stood) }
            }
            Do::Note(said, milli) => self.note(said, milli),
            Do::Replace(from, amount, to) => self.replace(from, amount, to),
            Do::Cancel(nth, all) => self.cancel(nth, all),
            Do::Another => {
                // The first order of a message may be announced like any other.
                if self.open().is_some_and(|order| !order.lines.is_empty()) {
                    self.current = None;
                    self.last = None;
                }
                self.present();
                Intent::Order
            }
        }
    }

    fn open(&mut self) -> Option<&mut Order> {
        self.orders.get_mut(self.current?)
    }

    fn line(&mut self, how: How, line: Line, stood: usize) -> Intent {
        let Some(order) = self.open() else {
            return if how == How::Remove { Intent::None } else { self.push(line) };
        };
        let found = order.lines.iter().rposition(|have| alike(have, &line));
        let Some((at, have)) = found.and_then(|at| order.lines.get_mut(at).map(|have| (at, have))) else {
            return if how == How::Remove { Intent::None } else { self.push(line) };
        };
        match how {
            How::Add if at >= stood || !same(have, &line) => return self.push(line),
            How::Add | How::Set => {
                if line.milli.is_some() {
                    // The word goes with its number: two loaves, one loaf.
                    have.milli = line.milli;
                    have.said = line.said;
                }
                have.variant = line.variant.or(have.variant);
                have.note = line.note.or(have.note.take());
                if !line.options.is_empty() {
                    have.options = line.options;
                }
            }
            How::More if same(have, &line) || line.variant.is_none() => {
                have.milli = Some(have.milli.unwrap_or(1000).saturating_add(line.milli.unwrap_or(1000)));
            }
            How::More => return self.push(line),
            How::Remove => {
                let all = have.milli.unwrap_or(1000);
                return self.less(at, line.milli.unwrap_or(all));
            }
        }
        self.last = Some(at);
        Intent::Change
    }

    fn push(&mut self, line: Line) -> Intent {
        let Some(order) = self.present() else { return Intent::None };
        if order.lines.len() >= LINES {
            return Intent::None;
        }
        order.lines.push(line);
        let last = order.lines.len() - 1;
        self.last = Some(last);
        Intent::Order
    }

    /// Takes so many of a line away; the line goes when nothing is left of it.
    fn less(&mut self, at: usize, milli: i64) -> Intent {
        let Some(order) = self.open() else { return Intent::None };
        let Some(line) = order.lines.get_mut(at) else { return Intent::None };
        let left = line.milli.unwrap_or(1000).saturating_sub(milli);
        if left > 0 {
            line.milli = Some(left);
            self.last = Some(at);
        } else {
            order.lines.remove(at);
            self.last = order.lines.len().checked_sub(1);
        }
        Intent::Change
    }

    fn amount(&mut self, how: How, milli: i64) -> Intent {
        let Some(at) = self.last else { return Intent::None };
        let Some(line) = self.open().and_then(|order| order.lines.get_mut(at)) else { return Intent::None };
        match how {
            How::Set => line.milli = Some(milli),
            How::More => line.milli = Some(line.milli.unwrap_or(1000).saturating_add(milli)),
            How::Remove => return self.less(at, milli),
            How::Add if line.milli.is_none() => line.milli = Some(milli),
            How::Add => return Intent::None,
        }
        Intent::Change
    }

    /// "large", "2 chocolate, 1 strawberry": of a thing that was named before.
    fn variant(&mut self, how: How, text: &Text, at: usize, milli: Option<i64>, stood: usize) -> Intent {
        let (catalog, last) = (self.catalog, self.last);
        let Some(order) = self.open() else { return Intent::None };
        let takes = |line: &Line| {
            if let Thing::Known(item) = line.thing { catalog.variant(item, text, at).map(|(nth, _)| nth) } else { None }
        };
        let without = order.lines.iter().rposition(|line| line.variant.is_none() && takes(line).is_some());
        let place = without.or(last.filter(|last| order.lines.get(*last).is_some_and(|line| takes(line).is_some())));
        let place = place.or_else(|| order.lines.iter().rposition(|line| takes(line).is_some()));
        let Some((place, line)) = place.and_then(|place| order.lines.get_mut(place).map(|line| (place, line))) else {
            return Intent::None;
        };
        let nth = takes(line);
        let (had, asked) = (line.milli.unwrap_or(1000), milli.unwrap_or(1000));
        // "large" alone, later: another size than was said before, not another thing.
        let instead = milli.is_none() && (how == How::Set || (how == How::Add && place < stood));
        if (line.variant.is_some() && !instead) || milli.is_some_and(|milli| milli < had) {
            let of = Line { variant: nth, milli: Some(asked), note: None, options: Vec::new(), ..line.clone() };
            // A number of some that were counted already: "3 shakes: 2 chocolate, 1 strawberry".
            let counted = line.variant.is_none();
            if counted {
                line.milli = Some(had - asked);
            }
            let new = if counted { place } else { order.lines.len() };
            order.lines.insert(new, of);
            self.last = Some(new);
            return Intent::Order;
        }
        line.variant = nth;
        line.milli = milli.or(line.milli);
        self.last = Some(place);
        Intent::Change
    }

    /// "no onions", "one without cheese": of what was named last.
    fn note(&mut self, said: String, milli: Option<i64>) -> Intent {
        let last = self.last;
        let Some(order) = self.open() else { return Intent::None };
        let Some(line) = last.and_then(|last| order.lines.get_mut(last)) else { return Intent::None };
        let had = line.milli.unwrap_or(1000);
        match milli.filter(|milli| *milli < had) {
            Some(milli) => {
                line.milli = Some(had - milli);
                let of = Line { milli: Some(milli), note: Some(said), ..line.clone() };
                return self.push(of);
            }
            None => line.note = Some(line.note.take().map_or(said.clone(), |note| format!("{note}, {said}"))),
        }
        Intent::Change
    }

    fn replace(&mut self, from: Option<Line>, amount: Option<i64>, mut to: Line) -> Intent {
        let last = self.last;
        let Some(order) = self.open() else { return Intent::None };
        let place = match &from {
            Some(from) => order.lines.iter().rposition(|have| alike(have, from)),
            None => last,
        };
        let Some((place, have)) = place.and_then(|place| order.lines.get(place).map(|have| (place, have))) else {
            return Intent::None;
        };
        let all = have.milli.unwrap_or(1000);
        let goes = amount.unwrap_or(all).min(all);
        to.milli = to.milli.or(Some(goes));
        self.less(place, goes);
        self.line(How::More, to, 0);
        Intent::Change
    }

    fn cancel(&mut self, nth: Option<usize>, all: bool) -> Intent {
        let open = self.orders.iter().filter(|order| !order.cancelled).count();
        if let Some(nth) = nth.and_then(|nth| nth.checked_sub(1)) {
            if self.orders.len() <= 1 {
                return self.less(nth, i64::MAX);
            }
            if let Some(order) = self.orders.get_mut(nth) {
                order.cancelled = true;
            }
        } else if all {
            self.orders.iter_mut().for_each(|order| order.cancelled = true);
        } else if let Some(order) = self.open() {
            order.cancelled = true;
        }
        self.current = self.orders.iter().rposition(|order| !order.cancelled);
        self.last = self.current.and_then(|at| self.orders.get(at)).and_then(|order| order.lines.len().checked_sub(1));
        if open > 0 { Intent::Cancel } else { Intent::None }
    }
}

/// The same thing, in a variant that does not speak against it.
fn alike(have: &Line, other: &Line) -> bool {
    let thing = match (&have.thing, &other.thing) {
        (Thing::Unknown(have), Thing::Unknown(other)) => fold(have) == fold(other),
        (have, other) => have == other,
    };
    thing && (other.variant.is_none() || have.variant.is_none() || have.variant == other.variant)
}

/// The same in everything but the number.
fn same(have: &Line, other: &Line) -> bool {
    alike(have, other) && have.variant == other.variant && have.options == other.options && have.note == other.note
}

/// The things that are named, each at its first token; what lies inside of one is not named apart.
fn hits(text: &Text, catalog: &Catalog) -> Vec<Option<Hit>> {
    let mut out: Vec<Option<Hit>> = vec![None; text.len()];
    let mut at = 0;
    while at < text.len() {
        let hit = catalog.at(text, at);
        if let Some(place) = out.get_mut(at) {
            *place = hit;
        }
        at += hit.map_or(1, |hit| hit.len.max(1));
    }
    // One word of a name stands for the thing only where nothing unknown stands beside it.
    let whole = covered(&out);
    let strange = |at: Option<usize>| {
        at.is_some_and(|at| {
            text.token(at).is_some_and(|t| t.kind == Kind::Word)
                && !text.is_known(at)
                && !whole.get(at).copied().unwrap_or(false)
                && catalog.any_variant(text, at).is_none()
        })
    };
    for at in 0..text.len() {
        if let Some(place) = out.get_mut(at) {
            *place = place.filter(|hit| !hit.part || !(strange(at.checked_sub(1)) || strange(Some(at + hit.len))));
        }
    }
    out
}

/// The tokens that things are named with.
fn covered(hits: &[Option<Hit>]) -> Vec<bool> {
    let mut out = vec![false; hits.len()];
    for (at, hit) in hits.iter().enumerate() {
        for place in out.iter_mut().skip(at).take(hit.map_or(0, |hit| hit.len)) {
            *place = true;
        }
    }
    out
}

/// Sentences, as tokens from and to.
fn sentences(text: &Text) -> Vec<(usize, usize)> {
    let mut out = Vec::new();
    let mut from = 0;
    for at in 0..text.len() {
        let end = text.token(at).is_some_and(crate::text::Token::is_end) && !text.is_taken(at);
        if end {
            // The mark stays with it: a question is told by it.
            if at > from {
                out.push((from, at + 1));
            }
            from = at + 1;
        }
    }
    if from < text.len() {
        out.push((from, text.len()));
    }
    out
}

/// What a line of the business asks for.
pub(crate) fn asks(said: &str) -> Option<Asked> {
    let text = Text::new(said);
    let mut asked = None;
    for at in 0..text.len() {
        let found = text.find(at, |t| match t {
            Tag::NameCue => Some(Asked::Name),
            Tag::PhoneCue => Some(Asked::Phone),
            Tag::AddressCue => Some(Asked::Address),
            Tag::Delivery | Tag::Pickup => Some(Asked::Fulfilment),
            Tag::Size(_) => Some(Asked::Variant),
            Tag::People => Some(Asked::People),
            Tag::Day => Some(Asked::Date),
            Tag::Pay(_) => Some(Asked::Payment),
            _ => None,
        });
        asked = asked.or(found.map(|(asked, _)| asked));
    }
    asked
}
