//! Aligned columns, as fleet prints them.

use crate::cli::TableFlags;
use crate::failure::Failure;
use crate::text;
use std::fmt::Write;
use unicode_width::UnicodeWidthStr;

/// A column: the name that `--fields` takes (its heading in upper case), and its cell for a row.
pub(crate) struct Column<T> {
    pub name: &'static str,
    pub cell: fn(&T, &View) -> String,
}

/// What a cell needs beside its row.
pub(crate) struct View<'a> {
    /// Whole ids and hashes.
    pub full: bool,
    pub machines: &'a [fleetd_api::Machine],
}

impl View<'_> {
    /// An id or hash, its first characters unless the whole was asked for.
    pub(crate) fn short(&self, id: &str, len: usize, dots: &str) -> String {
        match id.get(..len) {
            Some(head) if !self.full && id.len() > len => format!("{head}{dots}"),
            _ => id.to_owned(),
        }
    }

    /// `113f16a7.../172.17.8.103`
    pub(crate) fn machine(&self, id: &str) -> String {
        let found = self.machines.iter().find(|machine| machine.id == id);
        let ip = found.and_then(|machine| machine.ip.as_deref());
        let id = self.short(id, 8, "...");
        ip.map_or_else(|| id.clone(), |ip| format!("{id}/{ip}"))
    }
}

/// The rows as text, with the columns that were asked for.
pub(crate) fn render<T>(
    columns: &[Column<T>],
    default: &[&str],
    rows: &[T],
    flags: &TableFlags,
    view: &View,
) -> Result<String, Failure> {
    let chosen = choose(columns, default, flags)?;
    let heading = chosen.iter().map(|column| column.name.to_ascii_uppercase()).collect();
    let mut lines: Vec<Vec<String>> = Vec::new();
    if !flags.no_legend {
        lines.push(heading);
    }
    for row in rows {
        lines.push(chosen.iter().map(|column| cell((column.cell)(row, view))).collect());
    }
    Ok(align(&lines))
}

fn cell(text: String) -> String {
    if text.is_empty() { "-".to_owned() } else { text::plain(&text) }
}

fn choose<'c, T>(
    columns: &'c [Column<T>],
    default: &[&str],
    flags: &TableFlags,
) -> Result<Vec<&'c Column<T>>, Failure> {
    let find = |name: &str| {
        columns.iter().find(|column| column.name == name).ok_or_else(|| {
            let known = columns.iter().map(|column| column.name).collect::<Vec<_>>();
            Failure::new(format!("read --fields: there is no field {name:?}"))
                .hint(format!("there are {}", known.join(",")))
        })
    };
    match &flags.fields {
        Some(fields) => fields.iter().map(|name| find(name)).collect(),
        None => default.iter().map(|name| find(name)).collect(),
    }
}

fn align(lines: &[Vec<String>]) -> String {
    let count = lines.iter().map(Vec::len).max().unwrap_or(0);
    let width = |i: usize| lines.iter().filter_map(|line| line.get(i)).map(|c| c.width()).max();
    let widths: Vec<usize> = (0..count).map(|i| width(i).unwrap_or(0)).collect();
    let mut out = String::new();
    for line in lines {
        for (i, cell) in line.iter().enumerate() {
            let last = i + 1 == line.len();
            let pad = if last { 0 } else { widths[i] - cell.width() + 2 };
            let _ = write!(out, "{cell}{:pad$}", "");
        }
        out.push('\n');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    const COLUMNS: &[Column<(String, String)>] = &[
        Column { name: "unit", cell: |row, _| row.0.clone() },
        Column { name: "desc", cell: |row, view| view.short(&row.1, 3, "...") },
    ];

    fn rows() -> Vec<(String, String)> {
        vec![("a.container".to_owned(), "abcdef".to_owned()), ("é".to_owned(), String::new())]
    }

    fn table(flags: &TableFlags) -> Result<String, Failure> {
        let view = View { full: flags.full, machines: &[] };
        render(COLUMNS, &["unit", "desc"], &rows(), flags, &view)
    }

    #[test]
    fn columns_are_aligned_and_an_empty_cell_is_a_dash() {
        let flags = TableFlags::default();
        assert_eq!(
            table(&flags).unwrap(),
            "UNIT         DESC\na.container  abc...\né            -\n"
        );
    }

    #[test]
    fn fields_legend_and_full_are_chosen() {
        let fields = Some(vec!["desc".to_owned()]);
        let flags = TableFlags { full: true, no_legend: true, fields };
        assert_eq!(table(&flags).unwrap(), "abcdef\n-\n");
        let flags = TableFlags { fields: Some(vec!["x".to_owned()]), ..TableFlags::default() };
        assert_eq!(
            table(&flags).unwrap_err().to_string(),
            "read --fields: there is no field \"x\" (there are unit,desc)"
        );
    }
}
