//! What the step answers, and how an order is written down and read back. Money is counted in whole numbers of the smallest
//! unit, and every sum is checked.

use pointsman_sdk::prelude::Failure;
use serde::{Deserialize, Serialize};

use crate::catalog::{Catalog, Choice};
use crate::fields::{Asked, Fields, Found};
use crate::lines::{Line, Thing};
use crate::talk::{Intent, Order, Talk};

/// What later steps see: the order that is spoken of, and all orders of the conversation.
#[derive(Debug, Clone, Serialize)]
pub struct Output {
    /// Whether what was said orders, changes, completes or cancels something.
    is_order: bool,
    /// How sure that is, 0 to 1.
    confidence: f32,
    pub(crate) intent: Intent,
    #[serde(flatten)]
    order: Told,
    pub(crate) orders: Vec<Told>,
    /// More was said than is read.
    truncated: bool,
}

/// An order.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Told {
    status: Status,
    items: Vec<Piece>,
    unknown_items: Vec<Unknown>,
    total: Option<i64>,
    currency: Option<String>,
    name: Option<String>,
    phone: Option<String>,
    address: Option<String>,
    date: Option<String>,
    time: Option<String>,
    people: Option<String>,
    fulfilment: Option<String>,
    payment: Option<String>,
    missing: Vec<Asked>,
    /// For each field that is there.
    sure: Sure,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Status {
    #[default]
    Open,
    Cancelled,
}

/// A thing of the order. Without a catalogue it has no id and is marked as free text.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
struct Piece {
    id: Option<String>,
    name: String,
    said: String,
    quantity: Count,
    unit: Option<String>,
    variant: Option<String>,
    options: Vec<String>,
    note: Option<String>,
    unit_price: Option<i64>,
    line_total: Option<i64>,
    confidence: f32,
    free_text: bool,
    /// Nobody said how many: it is taken as one.
    assumed: bool,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
struct Unknown {
    said: String,
    quantity: Count,
    assumed: bool,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
struct Sure {
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<f32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    phone: Option<f32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    address: Option<f32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    date: Option<f32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    time: Option<f32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    people: Option<f32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    fulfilment: Option<f32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    payment: Option<f32>,
}

/// The answer after all that was heard.
pub(crate) fn tell(
    talk: &Talk,
    catalog: &Catalog,
    currency: Option<String>,
    required: &[Asked],
    truncated: bool,
) -> Result<Output, Failure> {
    let told = |order: &Order| Told::new(order, catalog, currency.clone(), required);
    let orders: Vec<Told> = talk.orders.iter().map(told).collect::<Result<_, _>>()?;
    let spoken = talk.current.or(talk.orders.len().checked_sub(1)).and_then(|at| orders.get(at).cloned());
    let is_order = talk.intent != Intent::None;
    Ok(Output {
        is_order,
        confidence: talk.weight.confidence(is_order),
        intent: talk.intent,
        order: spoken.unwrap_or_else(|| {
            let mut out = Told { currency, ..Told::default() };
            out.write(&talk.heard);
            out
        }),
        orders,
        truncated,
    })
}

impl Told {
    pub(crate) fn is_cancelled(&self) -> bool {
        self.status == Status::Cancelled
    }

    /// What a workflow asks for next.
    pub(crate) fn awaits(&self) -> Option<Asked> {
        self.missing.first().copied()
    }

    fn new(order: &Order, catalog: &Catalog, currency: Option<String>, required: &[Asked]) -> Result<Self, Failure> {
        let mut out =
            Self { currency, status: if order.cancelled { Status::Cancelled } else { Status::Open }, ..Self::default() };
        let mut priced = true;
        for line in &order.lines {
            match &line.thing {
                Thing::Known(index) => {
                    let piece = Piece::new(line, *index, catalog)?;
                    priced &= piece.line_total.is_some();
                    out.items.push(piece);
                }
                Thing::Unknown(said) if catalog.is_empty() => {
                    priced = false;
                    out.items.push(Piece::free(said, line));
                }
                Thing::Unknown(said) => {
                    out.unknown_items.push(Unknown {
                        said: said.clone(),
                        quantity: quantity(line),
                        assumed: line.milli.is_none(),
                    });
                }
            }
        }
        if priced && !out.items.is_empty() {
            let sum = out.items.iter().filter_map(|item| item.line_total).try_fold(0_i64, i64::checked_add);
            out.total = Some(sum.ok_or_else(too_much)?);
        }
        out.write(&order.fields);
        if !order.cancelled {
            out.missing = missing(&out, order, catalog, required);
        }
        Ok(out)
    }

    fn write(&mut self, fields: &Fields) {
        let split = |found: &Found| found.clone().unzip();
        (self.name, self.sure.name) = split(&fields.name);
        (self.phone, self.sure.phone) = split(&fields.phone);
        (self.address, self.sure.address) = split(&fields.address);
        (self.date, self.sure.date) = split(&fields.date);
        (self.time, self.sure.time) = split(&fields.time);
        (self.people, self.sure.people) = split(&fields.people);
        (self.fulfilment, self.sure.fulfilment) = split(&fields.fulfilment);
        (self.payment, self.sure.payment) = split(&fields.payment);
    }

    /// The order again. What the catalogue no longer has is unknown.
    pub(crate) fn read(self, catalog: &Catalog) -> Order {
        let sure = |value: Option<String>, sure: Option<f32>| value.map(|value| (value, sure.unwrap_or(1.0)));
        let fields = Fields {
            name: sure(self.name, self.sure.name),
            phone: sure(self.phone, self.sure.phone),
            address: sure(self.address, self.sure.address),
            date: sure(self.date, self.sure.date),
            time: sure(self.time, self.sure.time),
            people: sure(self.people, self.sure.people),
            fulfilment: sure(self.fulfilment, self.sure.fulfilment),
            payment: sure(self.payment, self.sure.payment),
        };
        let unknown = |unknown: Unknown| Line {
            thing: Thing::Unknown(unknown.said.clone()),
            said: unknown.said,
            milli: (!unknown.assumed).then_some(unknown.quantity.0),
            unit: None,
            variant: None,
            options: Vec::new(),
            note: None,
            score: 0.5,
        };
        let lines = self.items.into_iter().map(|item| item.read(catalog)).chain(self.unknown_items.into_iter().map(unknown));
        Order { lines: lines.take(crate::talk::LINES).collect(), fields, cancelled: self.status == Status::Cancelled }
    }
}

impl Piece {
    fn new(line: &Line, index: usize, catalog: &Catalog) -> Result<Self, Failure> {
        let Some(item) = catalog.item(index) else { return Ok(Self::free(&line.said, line)) };
        let variant = line.variant.and_then(|nth| item.variants.get(nth));
        let options: Vec<&Choice> = line.options.iter().filter_map(|nth| item.options.get(*nth)).collect();
        let base = variant.and_then(|variant| variant.price).or(item.price);
        let extra = options.iter().try_fold(0_i64, |sum, option| sum.checked_add(option.price.unwrap_or(0)));
        let unit_price = base.map(|base| extra.and_then(|extra| base.checked_add(extra)).ok_or_else(too_much)).transpose()?;
        let line_total = unit_price.map(|price| times(price, line.milli.unwrap_or(1000)).ok_or_else(too_much)).transpose()?;
        Ok(Self {
            id: Some(item.id.clone()),
            name: item.name.clone(),
            said: line.said.clone(),
            quantity: quantity(line),
            unit: item.unit.clone(),
            variant: variant.map(|variant| variant.name.clone()),
            options: options.iter().map(|option| option.name.clone()).collect(),
            note: line.note.clone(),
            unit_price,
            line_total,
            confidence: if line.milli.is_some() { line.score } else { line.score * 0.9 },
            free_text: false,
            assumed: line.milli.is_none(),
        })
    }

    fn free(said: &str, line: &Line) -> Self {
        Self {
            name: said.to_owned(),
            said: line.said.clone(),
            quantity: quantity(line),
            note: line.note.clone(),
            confidence: line.score,
            free_text: true,
            assumed: line.milli.is_none(),
            ..Self::default()
        }
    }

    fn read(self, catalog: &Catalog) -> Line {
        let index = self.id.as_deref().and_then(|id| catalog.by_id(id));
        let item = index.and_then(|index| catalog.item(index));
        let nth = |choices: &[Choice], name: &str| choices.iter().position(|choice| choice.name == name);
        Line {
            thing: index.map_or_else(|| Thing::Unknown(self.name.clone()), Thing::Known),
            said: self.said,
            milli: (!self.assumed).then_some(self.quantity.0),
            unit: None,
            variant: item.zip(self.variant).and_then(|(item, name)| nth(&item.variants, &name)),
            options: item.map_or_else(Vec::new, |item| self.options.iter().filter_map(|name| nth(&item.options, name)).collect()),
            note: self.note,
            score: self.confidence,
        }
    }
}

/// What is still to be asked for, in the order in which it is best asked.
fn missing(told: &Told, order: &Order, catalog: &Catalog, required: &[Asked]) -> Vec<Asked> {
    let mut out = Vec::new();
    if told.items.is_empty() {
        out.push(Asked::Items);
    }
    let open = |line: &Line| {
        let item = if let Thing::Known(index) = line.thing { catalog.item(index) } else { None };
        line.variant.is_none() && item.is_some_and(|item| !item.variants.is_empty())
    };
    if order.lines.iter().any(open) {
        out.push(Asked::Variant);
    }
    let has = |asked: Asked| match asked {
        Asked::Items | Asked::Variant => true,
        Asked::Fulfilment => told.fulfilment.is_some(),
        Asked::Address => told.address.is_some() || told.fulfilment.as_deref() != Some("delivery"),
        Asked::Name => told.name.is_some(),
        Asked::Phone => told.phone.is_some(),
        Asked::Date => told.date.is_some(),
        Asked::Time => told.time.is_some(),
        Asked::People => told.people.is_some(),
        Asked::Payment => told.payment.is_some(),
    };
    for asked in required {
        // Who asks how it goes out needs the place when it is brought.
        let both =
            if *asked == Asked::Fulfilment { &[Asked::Fulfilment, Asked::Address][..] } else { std::slice::from_ref(asked) };
        for asked in both {
            if !has(*asked) && !out.contains(asked) {
                out.push(*asked);
            }
        }
    }
    out
}

fn too_much() -> Failure {
    Failure::rejected(
        "total-too-large",
        "the sum does not fit into 64 bits: the prices of the catalogue are in the smallest unit, as 420 for 4.20",
    )
}

/// A price times thousandths, rounded to the nearest, halves up.
fn times(price: i64, milli: i64) -> Option<i64> {
    i64::try_from((i128::from(price) * i128::from(milli) + 500) / 1000).ok()
}

/// How many: thousandths, written as 2 or 1.5. No money, so a float may show it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Count(i64);

impl Serialize for Count {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        #[expect(clippy::cast_precision_loss, reason = "quantities end at a million")]
        let parts = self.0 as f64 / 1000.0;
        if self.0 % 1000 == 0 { to.serialize_i64(self.0 / 1000) } else { to.serialize_f64(parts) }
    }
}

impl<'de> Deserialize<'de> for Count {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let number = f64::deserialize(from)?.clamp(0.0, 1e6);
        #[expect(clippy::cast_possible_truncation, reason = "clamped")]
        let thousandths = (number * 1000.0).round() as i64;
        Ok(Self(thousandths))
    }
}

fn quantity(line: &Line) -> Count {
    Count(line.milli.unwrap_or(1000))
}

#[cfg(test)]
mod tests;
