//! Columns that line up.

use std::io::{self, Write};

/// Writes `rows` under `head`, each column as wide as its widest cell, indented by two.
pub(super) fn write<const N: usize>(
    head: [&str; N],
    rows: &[[String; N]],
    out: &mut impl Write,
) -> io::Result<()> {
    let length = |cell: &str| cell.chars().count();
    let mut widths = head.map(length);
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = length(cell).max(*width);
        }
    }
    let head = head.map(str::to_owned);
    for row in std::iter::once(&head).chain(rows) {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(widths) {
            line.push_str("  ");
            line.push_str(cell);
            line.extend(std::iter::repeat_n(' ', width - length(cell)));
        }
        writeln!(out, "{}", line.trim_end())?;
    }
    Ok(())
}
