//! The products of a shop as Shopify tells them (`/products.json`, or an answer of its Admin API): an entry a product, with its
//! title as heading, and its description, kind and variants with prices as paragraphs. A price has no currency there.

use pointsman_core::failure::Failure;
use serde_json::{Map, Value};

use super::outline::squeezed;
use super::{Entry, html, refused};

/// Where all options are the same for all, Shopify has one variant of this name.
const ONLY: &str = "Default Title";

pub(super) fn read(name: &str, told: &Map<String, Value>) -> Result<Vec<Entry>, Failure> {
    let products = told.get("products").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let places = products.iter().enumerate();
    places.map(|(n, product)| entry(name, n + 1, product)).collect()
}

fn entry(name: &str, number: usize, product: &Value) -> Result<Entry, Failure> {
    let text = |of: &Value, key: &str| match of.get(key) {
        Some(Value::String(text)) => squeezed(text),
        Some(Value::Number(number)) => number.to_string(),
        Some(Value::Array(list)) => list.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(", "),
        _ => String::new(),
    };
    let title = text(product, "title");
    let Some(variants) = product.get("variants").and_then(Value::as_array).filter(|_| !title.is_empty()) else {
        let text = format!("{name}, product {number}: it has no `title` and `variants`, as products of Shopify have");
        return Err(refused("json", text));
    };
    let mut paragraphs = Vec::new();
    for (word, key) in [("Kind", "product_type"), ("By", "vendor"), ("Tags", "tags")] {
        let told = text(product, key);
        if !told.is_empty() {
            paragraphs.push(format!("{word}: {told}"));
        }
    }
    for variant in variants {
        let mut told = text(variant, "title");
        if told == ONLY || told.is_empty() {
            told.clone_from(&title);
        }
        let (price, before) = (text(variant, "price"), text(variant, "compare_at_price"));
        if !price.is_empty() {
            told.push_str(&format!(": {price}"));
        }
        if !before.is_empty() && before != price {
            told.push_str(&format!(" (before {before})"));
        }
        if variant.get("available") == Some(&Value::Bool(false)) {
            told.push_str(", sold out");
        }
        let sku = text(variant, "sku");
        if !sku.is_empty() {
            told.push_str(&format!(", SKU {sku}"));
        }
        paragraphs.push(told);
    }
    // A description is a page of its own; one without text is none.
    let (described, _) = html::read(name, &text(product, "body_html"))?;
    paragraphs.extend(described.into_iter().flat_map(|part| part.headings.into_iter().last().into_iter().chain(part.paragraphs)));
    let handle = text(product, "handle");
    let id = if handle.is_empty() { number.to_string() } else { handle };
    Ok(Entry { id, headings: vec![title], paragraphs, whole: true, language: None })
}
