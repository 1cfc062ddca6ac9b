//! PDFs as people make them, and as nobody should: written byte by byte, apart from the code that reads them.

use std::io::Write as _;

use flate2::Compression;
use flate2::write::ZlibEncoder;

/// A PDF of these objects, the first of which is the catalog; numbered from 1.
pub fn pdf(objects: &[Vec<u8>]) -> Vec<u8> {
    let mut out = b"%PDF-1.7\n".to_vec();
    let mut places = Vec::new();
    for (n, object) in objects.iter().enumerate() {
        places.push(out.len());
        out.extend_from_slice(format!("{} 0 obj\n", n + 1).as_bytes());
        out.extend_from_slice(object);
        out.extend_from_slice(b"\nendobj\n");
    }
    let table = out.len();
    out.extend_from_slice(format!("xref\n0 {}\n0000000000 65535 f \n", objects.len() + 1).as_bytes());
    for place in places {
        out.extend_from_slice(format!("{place:010} 00000 n \n").as_bytes());
    }
    let size = objects.len() + 1;
    out.extend_from_slice(format!("trailer\n<< /Size {size} /Root 1 0 R >>\nstartxref\n{table}\n%%EOF\n").as_bytes());
    out
}

/// A stream, packed.
pub fn stream(dictionary: &str, content: &[u8]) -> Vec<u8> {
    let mut packed = ZlibEncoder::new(Vec::new(), Compression::fast());
    packed.write_all(content).expect("packed");
    let packed = packed.finish().expect("packed");
    let head = format!("<< {dictionary} /Filter /FlateDecode /Length {} >>\nstream\n", packed.len());
    [head.as_bytes(), &packed, b"\nendstream"].concat()
}

/// A PDF with a page for each of these contents.
pub fn drawn(contents: &[Vec<u8>]) -> Vec<u8> {
    let kids: Vec<String> = (0..contents.len()).map(|n| format!("{} 0 R", 4 + 2 * n)).collect();
    let mut objects = vec![
        b"<< /Type /Catalog /Pages 2 0 R >>".to_vec(),
        format!("<< /Type /Pages /Kids [{}] /Count {} >>", kids.join(" "), contents.len()).into_bytes(),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>".to_vec(),
    ];
    for (n, content) in contents.iter().enumerate() {
        let page = format!(
            "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 420 595] /Resources << /Font << /F 3 0 R >> >> /Contents {} 0 R >>",
            5 + 2 * n
        );
        objects.push(page.into_bytes());
        objects.push(stream("", content));
    }
    pdf(&objects)
}

/// A PDF with a page for each of these texts.
pub fn pages(texts: &[String]) -> Vec<u8> {
    let line = |text: &String| format!("BT /F 12 Tf 40 540 Td ({text}) Tj ET").into_bytes();
    drawn(&texts.iter().map(line).collect::<Vec<_>>())
}

/// A page that unpacks to so many MiB.
pub fn inflating(mib: usize) -> Vec<u8> {
    drawn(&[vec![b' '; mib << 20]])
}

/// Lists within lists, in the page and in what is drawn on it.
pub fn nested(depth: usize) -> Vec<u8> {
    let lists = format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    let page = format!("<< /Type /Page /Parent 2 0 R /MediaBox [0 0 1 1] /Odd {lists} /Contents 4 0 R >>");
    pdf(&[
        b"<< /Type /Catalog /Pages 2 0 R >>".to_vec(),
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>".to_vec(),
        page.into_bytes(),
        stream("", format!("BT {lists} TJ ET").as_bytes()),
    ])
}

/// Forms that draw the next one `wide` times each, and the last of which draws a letter: small, and without an end.
pub fn endless(wide: usize) -> Vec<u8> {
    let mut objects = vec![
        b"<< /Type /Catalog /Pages 2 0 R >>".to_vec(),
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>".to_vec(),
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 1 1] /Resources << /XObject << /X 5 0 R >> >> /Contents 4 0 R >>".to_vec(),
        stream("", b"/X Do"),
    ];
    for next in 6..12 {
        let dictionary = format!("/Type /XObject /Subtype /Form /BBox [0 0 1 1] /Resources << /XObject << /X {next} 0 R >> >>");
        objects.push(stream(&dictionary, "/X Do ".repeat(wide).as_bytes()));
    }
    objects.push(stream("/Type /XObject /Subtype /Form /BBox [0 0 1 1]", b"q Q"));
    pdf(&objects)
}
