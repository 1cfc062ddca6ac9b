//! Tables for people: columns as wide as what stands in them, the last one as long as it likes.

/// Lays rows out under their heads.
pub(super) fn table<const N: usize>(heads: [&str; N], rows: &[[String; N]]) -> String {
    let mut widths = heads.map(|head| head.chars().count());
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let line = |cells: &[String; N]| -> String {
        let padded = cells.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}"));
        padded.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    let heads = line(&heads.map(str::to_owned));
    std::iter::once(heads).chain(rows.iter().map(line)).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let rows = [["1".to_owned(), "done".to_owned()], ["2345".to_owned(), "é".to_owned()]];
        assert_eq!(table(["ID", "STATE"], &rows), "ID    STATE\n1     done\n2345  é");
    }
}
