//! Whom each row is about.

use std::collections::{BTreeMap, HashMap};

use renkei_events::codes::Code;
use renkei_events::csv::{self, Person, Row, RowFault};
use renkei_events::ids::EmployeeId;
use renkei_store::Store;
use renkei_store::error::{Result, StoreError};
use renkei_store::known;

/// How many numbers are looked up at once.
const AT_ONCE: usize = 500;

/// A row and its person.
#[derive(Debug)]
pub(super) struct Placed {
    pub(super) row: Row,
    pub(super) id: EmployeeId,
}

/// Gives every row its person: by 従業員ID, else the connection's one with this 社員番号, else a new one. Rows that have no one
/// person, and those that have one together, are faults.
pub(super) async fn resolve(store: &Store, connection: &str, rows: Vec<Row>) -> Result<(Vec<Placed>, Vec<RowFault>)> {
    let mut faults = Vec::new();
    let mut placed: Vec<Placed> = Vec::with_capacity(rows.len());
    let mut rows = rows.into_iter();
    loop {
        let chunk: Vec<Row> = rows.by_ref().take(AT_ONCE).collect();
        if chunk.is_empty() {
            break;
        }
        let numbers: Vec<&str> = chunk
            .iter()
            .filter_map(|row| if let Person::Numbered(number) = &row.person { Some(number.as_str()) } else { None })
            .collect();
        let holders = known::ids_of_numbers(&store.db, connection, &numbers).await?;
        for row in chunk {
            match id_of(&row, &holders)? {
                Some(id) => placed.push(Placed { row, id }),
                None => faults.push(fault(row.line, Code::MemberNumberShared, None)),
            }
        }
    }
    let twice = twice(&placed);
    faults.extend(twice.iter().map(|(line, other)| fault(*line, Code::CsvPersonTwice, Some(*other))));
    placed.retain(|placed| !twice.contains_key(&placed.row.line));
    Ok((placed, faults))
}

fn fault(line: u64, code: Code, other_line: Option<u64>) -> RowFault {
    RowFault { line, column: None, code, other_line }
}

/// `None` when several people have the number.
fn id_of(row: &Row, holders: &HashMap<String, Vec<String>>) -> Result<Option<EmployeeId>> {
    let broken = |_| StoreError::Corrupt("employee id".to_owned());
    match &row.person {
        Person::Known { id, .. } => Ok(Some(id.clone())),
        Person::Numbered(number) => match holders.get(number.as_str()).map(Vec::as_slice) {
            None | Some([]) => Ok(Some(csv::id_of_number(number).map_err(broken)?)),
            Some([holder]) => Ok(Some(EmployeeId::new(holder.clone()).map_err(broken)?)),
            Some(_) => Ok(None),
        },
    }
}

/// The lines of rows that share a person or a number, each with the line of another such row.
fn twice(placed: &[Placed]) -> BTreeMap<u64, u64> {
    let mut found = BTreeMap::new();
    let mut by_id: HashMap<&str, u64> = HashMap::with_capacity(placed.len());
    let mut by_number: HashMap<&str, u64> = HashMap::with_capacity(placed.len());
    for Placed { row, id } in placed {
        let number = row.person.number().map(|number| (&mut by_number, number.as_str()));
        for (seen, key) in [Some((&mut by_id, id.as_str())), number].into_iter().flatten() {
            match seen.get(key) {
                Some(first) => {
                    found.entry(*first).or_insert(row.line);
                    found.entry(row.line).or_insert(*first);
                }
                None => {
                    seen.insert(key, row.line);
                }
            }
        }
    }
    found
}
