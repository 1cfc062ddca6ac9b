//! The encoder: twelve layers of attention and of a small network, as BERT has them, and the mean of what they make of each piece.

use std::collections::HashMap;
use std::ops::Range;

use ndarray::{Array1, Array2, ArrayView2, ArrayViewMut1, Axis, Slice, Zip};
use pointsman_core::failure::Failure;
use serde::{Deserialize, Serialize};

use crate::TEXT;
use crate::file::{Reader, blocks, floats, matrix, weights, wrong};
use crate::tokens::Tokens;

/// What a file begins with.
const MAGIC: &[u8] = b"E5S1";

/// Windows of a text at most. A text of more pieces than a window takes is read window by window.
const WINDOWS: usize = 4;

/// What a text is: the model was taught with a word before each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Kind {
    /// A question.
    Query,
    /// What may answer it.
    Passage,
}

impl Kind {
    fn word(self) -> &'static str {
        match self {
            Self::Query => "query: ",
            Self::Passage => "passage: ",
        }
    }
}

/// A model in memory.
pub struct Model {
    /// The whole file: the vectors of pieces are read out of it as they are asked for.
    bytes: Vec<u8>,
    pieces: Range<usize>,
    positions: Array2<f32>,
    kind: Array1<f32>,
    first: Scale,
    layers: Vec<Layer>,
    tokens: Tokens,
    shape: Shape,
}

/// Sizes.
#[derive(Clone, Copy)]
struct Shape {
    width: usize,
    layers: usize,
    heads: usize,
    inner: usize,
    pieces: usize,
    /// Pieces of a window, its two marks among them.
    window: usize,
    epsilon: f32,
}

/// A linear map.
struct Map {
    weights: Array2<f32>,
    bias: Array1<f32>,
}

/// What a layer's rows are brought back to.
struct Scale {
    weights: Array1<f32>,
    bias: Array1<f32>,
}

struct Layer {
    query: Map,
    key: Map,
    value: Map,
    out: Map,
    attended: Scale,
    inner: Map,
    outer: Map,
    done: Scale,
}

impl Model {
    /// Reads a model's file.
    ///
    /// # Errors
    /// `model.file`
    pub fn read(bytes: Vec<u8>) -> Result<Self, Failure> {
        let mut from = Reader::new(&bytes);
        if from.take(MAGIC.len())? != MAGIC || from.u32()? != 1 {
            return Err(wrong("it is no model that is known here"));
        }
        let shape = Shape::read(&mut from)?;
        let tokens = Tokens::read(&mut from, shape.pieces)?;
        let parts = Parts::read(&mut from, &bytes)?;
        let width = shape.width;
        let positions = Array2::from_shape_vec((shape.window, width), floats(parts.get("emb.pos", shape.window * width * 4)?));
        let layers = (0..shape.layers).map(|n| parts.layer(n, shape)).collect::<Result<Vec<_>, _>>()?;
        // Of the two kinds of sentences that a model of this form knows there is only the first.
        let kind = floats(parts.get("emb.type", width * 4)?);
        let first = parts.scale("emb.ln", width)?;
        let pieces = parts.range("emb.word", blocks(shape.pieces * width))?;
        let positions = positions.map_err(|_| wrong("the places have another size"))?;
        Ok(Self { pieces, positions, kind: kind.into(), first, layers, tokens, shape, bytes })
    }

    /// How many numbers a vector has.
    #[must_use]
    pub fn width(&self) -> usize {
        self.shape.width
    }

    /// The vector of a text, of length 1. Of a text that is longer than [`TEXT`], or has more pieces than four windows, that of its
    /// beginning.
    #[must_use]
    pub fn embed(&self, kind: Kind, text: &str) -> Vec<f32> {
        let text = text.get(..text.floor_char_boundary(TEXT)).unwrap_or(text);
        let window = self.shape.window - 2;
        let pieces = self.tokens.of(&[kind.word(), text].concat(), window * WINDOWS);
        let mut sum = Array1::<f32>::zeros(self.shape.width);
        for part in pieces.chunks(window) {
            sum.scaled_add(part.len() as f32, &self.window(part));
        }
        let length = sum.dot(&sum).sqrt().max(1e-6);
        (sum / length).to_vec()
    }

    /// The mean over the pieces of one window.
    fn window(&self, pieces: &[u32]) -> Array1<f32> {
        let (begin, end) = self.tokens.ends();
        let pieces: Vec<u32> = [begin].into_iter().chain(pieces.iter().copied()).chain([end]).collect();
        let mut flat = Vec::with_capacity(pieces.len() * self.shape.width);
        pieces.iter().for_each(|piece| self.piece(*piece, &mut flat));
        let Ok(mut rows) = Array2::from_shape_vec((pieces.len(), self.shape.width), flat) else {
            return Array1::zeros(self.shape.width);
        };
        rows += &self.positions.slice_axis(Axis(0), Slice::from(..pieces.len()));
        rows += &self.kind;
        self.first.apply(&mut rows, self.shape.epsilon);
        for layer in &self.layers {
            rows = layer.apply(rows, self.shape);
        }
        rows.mean_axis(Axis(0)).unwrap_or_else(|| Array1::zeros(self.shape.width))
    }

    /// The vector of a piece by itself.
    fn piece(&self, number: u32, out: &mut Vec<f32>) {
        let row = blocks(self.shape.width);
        let all = self.bytes.get(self.pieces.clone()).unwrap_or_default();
        let wanted = all.get(number as usize * row..).and_then(|rest| rest.get(..row)).unwrap_or_default();
        weights(wanted, out);
    }
}

impl std::fmt::Debug for Model {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Model").field("width", &self.shape.width).field("layers", &self.shape.layers).finish_non_exhaustive()
    }
}

impl Shape {
    fn read(from: &mut Reader<'_>) -> Result<Self, Failure> {
        let (width, layers, heads, inner) = (from.count(1_024)?, from.count(24)?, from.count(16)?, from.count(4_096)?);
        let (pieces, window, _kinds) = (from.count(300_000)?, from.count(512)?, from.count(2)?);
        let (epsilon, block) = (from.f32()?, from.u32()?);
        let whole = [width, inner].iter().all(|size| *size > 0 && size % 32 == 0) && heads > 0 && width % heads == 0;
        if !whole || block != 32 || window < 3 || layers == 0 || pieces == 0 || !(epsilon > 0.0 && epsilon < 1e-3) {
            return Err(wrong("its sizes do not go together"));
        }
        Ok(Self { width, layers, heads, inner, pieces, window, epsilon })
    }
}

/// The named parts of a file.
struct Parts<'a> {
    bytes: &'a [u8],
    places: HashMap<String, Range<usize>>,
}

impl<'a> Parts<'a> {
    fn read(from: &mut Reader<'_>, bytes: &'a [u8]) -> Result<Self, Failure> {
        let mut places = HashMap::new();
        for _ in 0..from.count(1_024)? {
            let length = usize::from(from.u16()?);
            let name = String::from_utf8(from.take(length)?.to_vec()).map_err(|_| wrong("a part has no name"))?;
            let (_form, _count, at, size) = (from.u8()?, from.u32()?, from.u64()?, from.u64()?);
            let place = usize::try_from(at).ok().zip(usize::try_from(size).ok());
            let place = place.and_then(|(at, size)| Some(at..at.checked_add(size)?)).filter(|place| place.end <= bytes.len());
            places.insert(name, place.ok_or_else(|| wrong("a part lies past its end"))?);
        }
        Ok(Self { bytes, places })
    }

    /// Where a part is that has so many bytes at least.
    fn range(&self, name: &str, size: usize) -> Result<Range<usize>, Failure> {
        let place = self.places.get(name).filter(|place| place.len() >= size);
        place.map(|place| place.start..place.start + size).ok_or_else(|| wrong(format!("its part {name} is missing")))
    }

    fn get(&self, name: &str, size: usize) -> Result<&'a [u8], Failure> {
        let range = self.range(name, size)?;
        Ok(self.bytes.get(range).unwrap_or_default())
    }

    fn map(&self, name: &str, rows: usize, columns: usize) -> Result<Map, Failure> {
        let weights = matrix(self.get(&format!("{name}.w"), blocks(rows * columns))?, rows, columns)?;
        Ok(Map { weights, bias: floats(self.get(&format!("{name}.b"), rows * 4)?).into() })
    }

    fn scale(&self, name: &str, width: usize) -> Result<Scale, Failure> {
        let read = |part: &str| self.get(&format!("{name}.{part}"), width * 4).map(|bytes| floats(bytes).into());
        Ok(Scale { weights: read("w")?, bias: read("b")? })
    }

    fn layer(&self, n: usize, Shape { width, inner, .. }: Shape) -> Result<Layer, Failure> {
        let named = |part: &str| format!("l{n}.{part}");
        Ok(Layer {
            query: self.map(&named("q"), width, width)?,
            key: self.map(&named("k"), width, width)?,
            value: self.map(&named("v"), width, width)?,
            out: self.map(&named("ao"), width, width)?,
            attended: self.scale(&named("aln"), width)?,
            inner: self.map(&named("fi"), inner, width)?,
            outer: self.map(&named("fo"), width, inner)?,
            done: self.scale(&named("oln"), width)?,
        })
    }
}

impl Map {
    fn apply(&self, rows: &ArrayView2<'_, f32>) -> Array2<f32> {
        rows.dot(&self.weights.t()) + &self.bias
    }
}

impl Scale {
    /// Brings each row to mean 0 and spread 1, and then to the model's own.
    fn apply(&self, rows: &mut Array2<f32>, epsilon: f32) {
        for mut row in rows.rows_mut() {
            let mean = row.mean().unwrap_or_default();
            row -= mean;
            let spread = (row.dot(&row) / row.len() as f32 + epsilon).sqrt();
            Zip::from(&mut row).and(&self.weights).and(&self.bias).for_each(|x, w, b| *x = *x / spread * w + b);
        }
    }
}

impl Layer {
    fn apply(&self, rows: Array2<f32>, shape: Shape) -> Array2<f32> {
        let own = rows.view();
        let (query, key, value) = (self.query.apply(&own), self.key.apply(&own), self.value.apply(&own));
        let mut seen = Array2::<f32>::zeros(rows.raw_dim());
        let wide = shape.width / shape.heads;
        for head in 0..shape.heads {
            let part = Slice::from(head * wide..(head + 1) * wide);
            let of = |rows: &Array2<f32>| rows.slice_axis(Axis(1), part).to_owned();
            let mut weights = of(&query).dot(&of(&key).t()) / (wide as f32).sqrt();
            weights.rows_mut().into_iter().for_each(shares);
            seen.slice_axis_mut(Axis(1), part).assign(&weights.dot(&of(&value)));
        }
        let mut attended = self.out.apply(&seen.view()) + &rows;
        self.attended.apply(&mut attended, shape.epsilon);
        let mut inner = self.inner.apply(&attended.view());
        inner.mapv_inplace(gelu);
        let mut done = self.outer.apply(&inner.view()) + &attended;
        self.done.apply(&mut done, shape.epsilon);
        done
    }
}

/// Turns weights into shares of 1.
fn shares(mut row: ArrayViewMut1<'_, f32>) {
    let most = row.fold(f32::NEG_INFINITY, |most, x| most.max(*x));
    row.mapv_inplace(|x| (x - most).exp());
    let sum = row.sum();
    row /= sum;
}

/// x times the part of a normal distribution that lies below x.
fn gelu(x: f32) -> f32 {
    0.5 * x * (1.0 + erf(x * std::f32::consts::FRAC_1_SQRT_2))
}

/// The error function as a quotient of two polynomials: right to about 1e-6, and without branches.
fn erf(x: f32) -> f32 {
    let x = x.clamp(-4.0, 4.0);
    let square = x * x;
    let poly = |of: &[f32]| of.iter().fold(0.0_f32, |sum, c| sum * square + c);
    x * poly(&[-2.726_142_3e-10, 2.770_681_4e-8, -2.101_024e-6, -5.692_506_5e-5, -7.349_906_3e-4, -2.954_6e-3, -1.609_603_3e-2])
        / poly(&[-1.456_607_2e-5, -2.133_740_5e-4, -1.682_827e-3, -7.373_329e-3, -1.426_473_9e-2])
}

#[cfg(test)]
mod tests;
