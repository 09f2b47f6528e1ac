//! Aligned tables for a terminal.
//!
//! Cells come from the database, where others wrote them: control characters are replaced, so that a name cannot move
//! the cursor or colour the screen.

/// A head line and one line for each row; columns two spaces apart, no space at the ends of lines.
pub(super) fn render(head: &[&str], rows: &[Vec<String>]) -> String {
    let rows: Vec<Vec<String>> =
        rows.iter().map(|row| row.iter().map(|cell| plain(cell)).collect()).collect();
    let head: Vec<String> = head.iter().map(|&title| title.to_owned()).collect();
    let lines = || std::iter::once(&head).chain(&rows);
    let width = |column: usize| {
        lines().filter_map(|line| line.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..head.len()).map(width).collect();
    let mut out = String::new();
    for line in lines() {
        let cells: Vec<String> =
            line.iter().zip(&widths).map(|(cell, &width)| format!("{cell:<width$}")).collect();
        out.push_str(cells.join("  ").trim_end());
        out.push('\n');
    }
    out
}

/// `text` on one line, without control characters.
pub(super) fn plain(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            '\n' | '\t' | '\r' => ' ',
            c if c.is_control() => '\u{FFFD}',
            c => c,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned_and_cells_are_tame() {
        let rows = vec![
            vec!["1".to_owned(), "größer".to_owned(), "x".to_owned()],
            vec!["22".to_owned(), "a\nb\x1b[31m".to_owned(), String::new()],
        ];
        assert_eq!(
            render(&["ID", "NAME", "S"], &rows),
            "ID  NAME      S\n1   größer    x\n22  a b\u{FFFD}[31m\n"
        );
    }

    #[test]
    fn no_rows_leave_the_head() {
        assert_eq!(render(&["A", "B"], &[]), "A  B\n");
    }
}
