//! What a sentence does to an order: which things it names, how many, in which variant, and whether they come, go or change.

use crate::catalog::{Catalog, Hit};
use crate::lexicon::{Tag, Unit};
use crate::read::{Number, Text};
use crate::text::Kind;

/// A thing that was named.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Thing {
    /// Of the catalogue.
    Known(usize),
    /// Not in it; in these words.
    Unknown(String),
}

/// A thing with all that was said of it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Line {
    pub(crate) thing: Thing,
    /// As it was said.
    pub(crate) said: String,
    /// In thousandths of the thing's unit; absent when no number was said.
    pub(crate) milli: Option<i64>,
    pub(crate) unit: Option<Unit>,
    pub(crate) variant: Option<usize>,
    pub(crate) options: Vec<usize>,
    pub(crate) note: Option<String>,
    pub(crate) score: f32,
}

/// How a line or a number is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum How {
    /// The thing comes to the order.
    Add,
    /// So many more of it.
    More,
    /// So many of it, instead of what was said before.
    Set,
    /// It goes, or so many of it.
    Remove,
}

/// One thing that a sentence does.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Do {
    Line(How, Line),
    /// A number alone: it concerns what was named last.
    Amount(How, i64),
    /// A variant alone, at this token, maybe with a number: of what was named last.
    Variant(How, usize, Option<i64>),
    /// A remark alone: on what was named last, or on so many of it.
    Note(String, Option<i64>),
    /// What goes (what was named last, if absent), how many of it, what comes.
    Replace(Option<Line>, Option<i64>, Line),
    /// The order with this number, all, or the present one.
    Cancel(Option<usize>, bool),
    /// An order of its own begins.
    Another,
}

/// A sentence being read.
pub(crate) struct Reader<'t, 'a> {
    text: &'t Text<'a>,
    catalog: &'t Catalog,
    hits: &'t [Option<Hit>],
    /// The first number stands before the first thing.
    number_first: bool,
    /// Unknown words may be things without a number, for there is no catalogue to compare with.
    free: bool,
    how: How,
    /// What goes, in "change X to Y".
    replace: Option<(Option<Line>, Option<i64>)>,
    now: Now,
    /// Without a catalogue: the words now are of a place, as after "from".
    away: bool,
    /// How many were done when the clause began.
    clause: usize,
    out: Vec<Do>,
}

/// The line under construction.
#[derive(Debug, Default)]
struct Now {
    number: Option<Number>,
    hit: Option<(Hit, usize)>,
    variants: Vec<usize>,
    variant: Option<usize>,
    options: Vec<usize>,
    notes: Vec<(usize, usize)>,
    /// Tokens of words that nobody knows.
    unknown: Option<(usize, usize)>,
    /// "and", "I want": a thing is due, even without a number.
    due: bool,
}

/// Words of an unknown thing at most, and of a remark.
const WORDS: usize = 4;

impl<'t, 'a> Reader<'t, 'a> {
    pub(crate) fn new(text: &'t Text<'a>, catalog: &'t Catalog, hits: &'t [Option<Hit>]) -> Self {
        let (how, now) = (How::Add, Now::default());
        Self {
            text,
            catalog,
            hits,
            number_first: true,
            free: catalog.is_empty(),
            how,
            replace: None,
            now,
            away: false,
            clause: 0,
            out: Vec::new(),
        }
    }

    /// Reads the tokens of a sentence.
    pub(crate) fn read(mut self, from: usize, to: usize) -> Vec<Do> {
        let number =
            |at: &usize| self.text.number(*at).is_some_and(|n| !n.article) && !self.text.is_taken(*at) && self.hit(*at).is_none();
        let first = (from..to).find(number).unwrap_or(to);
        self.number_first = (from..to).find(|at| self.hit(*at).is_some()).is_none_or(|hit| first < hit);
        let mut at = from;
        while at < to {
            at += self.token(at, to).max(1);
        }
        self.finish();
        self.out
    }

    fn hit(&self, at: usize) -> Option<Hit> {
        self.hits.get(at).copied().flatten()
    }

    /// Reads one token or phrase; says how many tokens it has.
    fn token(&mut self, at: usize, to: usize) -> usize {
        if self.text.is_taken(at) {
            self.mark(",");
            return 1;
        }
        if let Some(token) = self.text.token(at).filter(|token| token.kind == Kind::Mark) {
            let mark = token.text.clone();
            return if mark == "+" || mark == "&" { self.and(at, 1, to) } else { self.mark(&mark) };
        }
        if let Some((nth, len)) = self.now.hit.and_then(|(hit, _)| self.catalog.variant(hit.item, self.text, at))
            && self.now.variant.is_none()
            && self.hit(at).is_none_or(|hit| hit.part || hit.len <= len)
        {
            self.now.variant = Some(nth);
            return len;
        }
        if let Some(hit) = self.hit(at) {
            return self.thing(at, hit);
        }
        if let Some((nth, len)) = self.now.hit.and_then(|(hit, _)| self.catalog.option(hit.item, self.text, at)) {
            self.now.options.push(nth);
            return len;
        }
        if let Some(len) = self.catalog.any_variant(self.text, at).filter(|_| self.now.hit.is_none()) {
            // A size that is a word of another meaning too: "um", "m".
            self.now.variants.push(at);
            return len;
        }
        if let Some(len) = self.action(at, to) {
            return len;
        }
        if let Some(number) = self.text.number(at) {
            return self.number(at, number, to);
        }
        if let Some((unit, len)) = self.text.unit(at) {
            return self.unit(at, unit, len);
        }
        if let Some(len) = self.text.find(at, |t| matches!(t, Tag::Want | Tag::Order).then_some(())).map(|(_, len)| len) {
            self.finish();
            self.now.due = true;
            return len;
        }
        if self.free && ["from", "at", "in", "near", "by"].iter().any(|word| self.text.is(at, word)) {
            self.finish();
            self.away = true;
        }
        if self.text.is_known(at) {
            // Whatever else the longest phrase here means, it is no thing.
            return self.text.marks(at).iter().map(|mark| mark.len).max().unwrap_or(1);
        }
        if !self.away {
            self.unknown(at);
        }
        1
    }

    /// A comma, a colon: the line ends, and what is said next is meant anew.
    fn mark(&mut self, mark: &str) -> usize {
        self.finish();
        if mark != ":" && self.how != How::Set {
            self.how = How::Add;
        }
        self.clause = self.out.len();
        1
    }

    fn thing(&mut self, at: usize, hit: Hit) -> usize {
        if self.now.hit.is_some()
            || (self.now.unknown.is_some() && self.number_first && self.now.number.is_none_or(|n| n.article) && !hit.part)
        {
            self.finish();
        }
        if let Some((from, to)) = self.now.unknown.take() {
            // "2 wedding cakes" where the catalogue has "cake": another thing than that one.
            let touching = to == at && self.now.number.is_some();
            if touching {
                self.now.unknown = Some((from, at + hit.len));
                return hit.len;
            }
        }
        self.now.hit = Some((hit, at));
        for variant in std::mem::take(&mut self.now.variants) {
            if let Some((nth, _)) = self.catalog.variant(hit.item, self.text, variant) {
                self.now.variant = Some(nth);
            }
        }
        hit.len
    }

    /// Words that change an order. The longest phrase counts.
    fn action(&mut self, at: usize, to: usize) -> Option<usize> {
        // In a change the word between both things ends the first.
        if let Some(len) = self.text.has(at, Tag::Into).filter(|_| self.replace.is_some()) {
            self.finish();
            return Some(len);
        }
        let wanted = |t: Tag| {
            let is = matches!(
                t,
                Tag::Cancel
                    | Tag::Remove
                    | Tag::Set
                    | Tag::Replace
                    | Tag::More
                    | Tag::Another
                    | Tag::Without
                    | Tag::And
                    | Tag::With
            );
            is.then_some(t)
        };
        let (tag, len) = self.text.find(at, wanted)?;
        if self.replace.is_some() {
            return Some(len);
        }
        let next = at + len;
        match tag {
            Tag::Another => {
                self.finish();
                self.how = How::Add;
                self.out.push(Do::Another);
                self.clause = self.out.len();
            }
            Tag::Replace => {
                self.finish();
                self.replace = Some((None, None));
            }
            Tag::Cancel | Tag::Remove => self.take_away(tag, next, to),
            Tag::Without => return Some(self.without(at, len, to)),
            Tag::Set | Tag::More => {
                // "es teh 2 lagi", "yang pink juga 1": said behind what it means.
                let begun = self.now.hit.is_some() || !self.now.variants.is_empty();
                let behind = tag == Tag::More && begun && !self.due(next, to);
                if !behind {
                    self.finish();
                    self.now.due = true;
                    // "one more", "satu lagi" count one, even alone.
                    let counts = len > 1 && (at..next).any(|at| self.text.number(at).is_some());
                    self.now.number = counts.then_some(Number { milli: 1000, unit: None, len, bare: len, article: false });
                }
                self.how = if tag == Tag::Set { How::Set } else { How::More };
            }
            _ => return Some(self.and(at, len, to)),
        }
        Some(len)
    }

    /// Cancels what stands before it in the clause, what follows, or the order.
    fn take_away(&mut self, tag: Tag, next: usize, to: usize) {
        let started = self.now.hit.is_some();
        self.finish();
        let before = self.out.iter_mut().skip(self.clause);
        let mut any = false;
        for done in before {
            if let Do::Line(how, _) = done {
                (*how, any) = (How::Remove, true);
            }
        }
        if any || started {
            return;
        }
        let end = (next..to).find(|at| self.text.token(*at).is_some_and(|t| t.kind == Kind::Mark)).unwrap_or(to);
        let ordinal = (next..end).find_map(|at| self.text.find(at, |t| if let Tag::Ordinal(nth) = t { Some(nth) } else { None }));
        let named = (next..end).any(|at| self.hit(at).is_some());
        if tag == Tag::Cancel && !named {
            let all = (next..end).any(|at| self.text.has(at, Tag::All).is_some());
            self.out.push(Do::Cancel(ordinal.map(|(nth, _)| nth), all));
        } else {
            self.how = How::Remove;
        }
    }

    /// "no onions": a remark on the thing before it; or, where the thing is in the catalogue, it goes.
    fn without(&mut self, at: usize, len: usize, to: usize) -> usize {
        let mut end = at + len;
        while end < to && end < at + len + WORDS && self.is_remark(end) {
            end += 1;
        }
        if end == at + len {
            return len;
        }
        if self.now.hit.is_some() {
            self.now.notes.push((at, end));
        } else {
            let of = self.now.number.take().map(|number| number.milli);
            self.finish();
            self.out.push(Do::Note(self.text.span(at, end).to_owned(), of));
        }
        end - at
    }

    /// Whether a token may be a word of a remark.
    fn is_remark(&self, at: usize) -> bool {
        let ends = |t: Tag| {
            matches!(
                t,
                Tag::And
                    | Tag::Delivery
                    | Tag::Pickup
                    | Tag::Pay(_)
                    | Tag::NameCue
                    | Tag::Set
                    | Tag::Cancel
                    | Tag::Want
                    | Tag::Order
            )
        };
        let stop = self.text.is_known(at) && self.text.marks(at).iter().all(|mark| mark.tag == Tag::Stop);
        self.text.is_word(at)
            && !self.text.is_taken(at)
            && self.hit(at).is_none_or(|hit| hit.part)
            && self.text.number(at).is_none_or(|n| n.article)
            && !stop
            && !self.text.marks(at).iter().any(|mark| ends(mark.tag))
    }

    /// "and": an option of the thing before may follow, or another thing.
    fn and(&mut self, at: usize, len: usize, to: usize) -> usize {
        let next = at + len;
        if let Some((nth, more)) = self.now.hit.and_then(|(hit, _)| self.catalog.option(hit.item, self.text, next))
            && self.hit(next).is_none_or(|hit| hit.part || hit.len < more)
        {
            self.now.options.push(nth);
            return len + more;
        }
        // "con todo": with everything on it.
        let all = self.text.has(next, Tag::All).filter(|_| self.text.has(at, Tag::With).is_some() && self.now.hit.is_some());
        if let Some(more) = all {
            self.now.notes.push((at, next + more));
            return len + more;
        }
        if next < to {
            self.finish();
            self.now.due = true;
        }
        len
    }

    /// Whether a thing, known or not, comes before the next mark, number or "and".
    fn due(&self, from: usize, to: usize) -> bool {
        for at in from..to {
            if self.hit(at).is_some() {
                return true;
            }
            let over = self.text.is_taken(at)
                || self.text.token(at).is_some_and(|t| t.kind != Kind::Word)
                || self.text.number(at).is_some()
                || self.text.has(at, Tag::And).is_some();
            if over {
                return false;
            }
            if !self.text.is_known(at) && self.catalog.any_variant(self.text, at).is_none() {
                return true;
            }
        }
        false
    }

    fn number(&mut self, at: usize, mut number: Number, to: usize) -> usize {
        // In "2 x-salada" the x is no "times".
        if (at + number.bare..at + number.len).any(|at| self.hit(at).is_some_and(|hit| !hit.part)) {
            (number.len, number.unit) = (number.bare, None);
        }
        let next = at + number.len;
        let times = at > 0 && self.text.is(at - 1, "x");
        let due = self.due(next, to) && !times;
        let remark = self.text.has(next, Tag::Without).is_some();
        if number.article && !due && !remark && self.replace.is_none() {
            return number.len;
        }
        let named = self.now.hit.is_some();
        match (self.now.number, named || self.now.unknown.is_some()) {
            (None, true) if number.article || (due && self.number_first) => {
                self.finish();
                self.now.number = Some(number);
            }
            (None, _) => self.now.number = Some(number),
            (Some(before), false) if before.article => self.now.number = Some(number),
            (Some(_), true) => {
                self.finish();
                self.now.number = Some(number);
            }
            (Some(_), false) => {}
        }
        number.len
    }

    /// A unit without a number: a kilo is one, other units are said in passing.
    fn unit(&mut self, at: usize, unit: Unit, len: usize) -> usize {
        let half = self.text.has(at + len, Tag::AndHalf);
        let bulk = matches!(unit, Unit::Kilo | Unit::Litre);
        if bulk && self.now.number.is_none() {
            let milli = if half.is_some() { 1500 } else { 1000 };
            let len = len + half.unwrap_or(0);
            self.now.number = Some(Number { milli, unit: Some(unit), len, bare: 0, article: false });
            return len;
        }
        len
    }

    fn unknown(&mut self, at: usize) {
        if self.now.hit.is_some() {
            match self.now.notes.last_mut() {
                Some((from, to)) if *to == at && at - *from < WORDS => *to = at + 1,
                _ => self.now.notes.push((at, at + 1)),
            }
            return;
        }
        match &mut self.now.unknown {
            Some((from, to)) if at - *from < WORDS => *to = at + 1,
            Some(_) => {}
            None => self.now.unknown = Some((at, at + 1)),
        }
    }

    /// Ends the line under construction.
    fn finish(&mut self) {
        let now = std::mem::take(&mut self.now);
        self.away = false;
        let milli = now.number.map(|number| number.milli);
        let counted = now.number.is_some();
        if let Some((hit, at)) = now.hit {
            let unit = now.number.and_then(|number| number.unit);
            let line = Line {
                thing: Thing::Known(hit.item),
                said: self.text.span(at, at + hit.len).to_owned(),
                milli: now.number.map(|number| self.in_unit(hit.item, number)),
                unit,
                variant: now.variant,
                options: now.options,
                note: self.notes(&now.notes),
                score: hit.score,
            };
            return self.line(line, counted);
        }
        if let Some((from, to)) = now.unknown {
            let said = self.text.span(from, to).to_owned();
            let sure = now.number.is_some_and(|n| !n.article) || (counted && (now.due || !self.out.is_empty()));
            let alone = now.due && (self.free || self.out.iter().any(|done| matches!(done, Do::Line(..)))) && to - from <= 2;
            if sure || alone || (self.free && now.due) {
                let unit = now.number.and_then(|number| number.unit);
                let line = Line {
                    thing: Thing::Unknown(said.clone()),
                    said,
                    milli,
                    unit,
                    variant: None,
                    options: Vec::new(),
                    note: None,
                    score: 0.5,
                };
                self.line(line, counted);
            }
            return;
        }
        if let Some(variant) = now.variants.first() {
            self.out.push(Do::Variant(self.how, *variant, milli));
        } else if let Some(milli) = milli.filter(|_| self.replace.is_some() || now.number.is_some_and(|n| !n.article)) {
            match &mut self.replace {
                Some((None, amount)) => *amount = Some(milli),
                _ => self.out.push(Do::Amount(self.how, milli)),
            }
        }
    }

    fn line(&mut self, line: Line, counted: bool) {
        match self.replace.take() {
            Some((None, None)) => self.replace = Some((Some(line.clone()), line.milli.filter(|_| counted))),
            Some((from, amount)) => self.out.push(Do::Replace(from, amount, line)),
            None => self.out.push(Do::Line(self.how, line)),
        }
    }

    fn notes(&self, spans: &[(usize, usize)]) -> Option<String> {
        let said: Vec<&str> = spans.iter().map(|(from, to)| self.text.span(*from, *to)).collect();
        (!said.is_empty()).then(|| said.join(", "))
    }

    /// Grams of a thing that is sold by the kilo are thousandths of it.
    fn in_unit(&self, item: usize, number: Number) -> i64 {
        let sold = self
            .catalog
            .item(item)
            .and_then(|item| item.unit.as_deref())
            .map(Text::new)
            .and_then(|unit| unit.unit(0))
            .map(|(unit, _)| unit);
        match (sold, number.unit) {
            (Some(Unit::Kilo), Some(Unit::Gram)) | (Some(Unit::Litre), Some(Unit::Millilitre)) => number.milli / 1000,
            (Some(Unit::Gram), Some(Unit::Kilo)) | (Some(Unit::Millilitre), Some(Unit::Litre)) => {
                number.milli.saturating_mul(1000)
            }
            _ => number.milli,
        }
    }
}
