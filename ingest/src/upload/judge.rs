//! Rows against what is known: which are new, and whom they would make eligible.

use jiff::Timestamp;
use renkei_events::csv::{Constants, Field};
use renkei_events::event::Change;
use renkei_events::ids::Version;
use renkei_events::record::EmployeeRecord;
use renkei_store::Store;
use renkei_store::content;
use renkei_store::error::{Result, StoreError};
use renkei_store::known;
use renkei_store::uploads::UploadPerson;

use super::people::Placed;
use super::report::{ConstantReport, Report};
use super::{Needed, UploadError, usual};

/// How many people are looked up at once.
const AT_ONCE: usize = 500;

/// A state of somebody that nobody has brought yet.
pub(super) struct Judged {
    pub(super) line: u64,
    pub(super) change: Change,
    pub(super) record: EmployeeRecord,
}

/// What was found about a constant: how many rows need it, and how many of those it makes eligible.
#[derive(Debug, Clone, Copy, Default)]
struct Need {
    rows: u64,
    eligible: u64,
}

/// What came of all rows.
#[derive(Default)]
pub(super) struct Judgement {
    /// What goes on the log.
    pub(super) new: Vec<Judged>,
    /// Who says nothing new: line and id.
    same: Vec<(u64, String)>,
    created: u64,
    already_known: u64,
    older: u64,
    eligible: u64,
    status: Need,
    state: Need,
}

/// Compares rows with what is known. Where a constant is needed and not given the usual one stands in, to say what it would do.
pub(super) async fn judge(
    store: &Store,
    connection: &str,
    rows: Vec<Placed>,
    constants: &Constants,
    received_at: Timestamp,
) -> Result<Judgement> {
    let constants = constants.or(&Constants::usual());
    let mut judgement = Judgement::default();
    let mut rows = rows.into_iter();
    loop {
        let chunk: Vec<Placed> = rows.by_ref().take(AT_ONCE).collect();
        if chunk.is_empty() {
            return Ok(judgement);
        }
        let ids: Vec<&str> = chunk.iter().map(|placed| placed.id.as_str()).collect();
        let mut known = known::records(store, &store.db, connection, &ids).await?;
        for Placed { row, id } in chunk {
            let (state, before) = known.remove(id.as_str()).map(|known| (known.known, known.record)).unzip();
            let before = before.flatten();
            let lacking = row.lacks(before.as_ref());
            let line = row.line;
            let record = row
                .record(id, before, &constants, received_at)
                .map_err(|field| StoreError::Corrupt(format!("no constant for {}", field.as_str())))?;
            judgement.count(&record, &lacking);
            let version = Version::judge(record.updated_at, received_at);
            match state {
                Some(known) if known.content == content::of_record(&store.keys, &record) => {
                    judgement.already_known += 1;
                    judgement.same.push((line, record.employee_id.to_string()));
                }
                Some(known) if known.version > version.0 => {
                    judgement.older += 1;
                    judgement.same.push((line, record.employee_id.to_string()));
                }
                Some(_) => judgement.new.push(Judged { line, change: Change::Updated, record }),
                None => {
                    judgement.created += 1;
                    judgement.new.push(Judged { line, change: Change::Created, record });
                }
            }
        }
    }
}

impl Judgement {
    fn count(&mut self, record: &EmployeeRecord, lacking: &[Field]) {
        let eligible = u64::from(record.is_eligible());
        self.eligible += eligible;
        for field in lacking {
            let need = if *field == Field::EmployeeStatus { &mut self.status } else { &mut self.state };
            need.rows += 1;
            need.eligible += eligible;
        }
    }

    fn needs(&self, constants: &Constants) -> [(Field, Need, Option<String>); 2] {
        let status = constants.employee_status.as_ref().map(|status| status.as_str().to_owned());
        let state = constants.data_entry_state.as_ref().map(|state| state.as_str().to_owned());
        [(Field::EmployeeStatus, self.status, status), (Field::DataEntryState, self.state, state)]
    }

    /// Why the upload can not be taken, if a constant is needed that was not given.
    pub(super) fn lacking(&self, constants: &Constants) -> Option<UploadError> {
        let needs = self.needs(constants).into_iter().filter(|(_, need, given)| need.rows > 0 && given.is_none());
        let needed: Vec<Needed> =
            needs.map(|(field, Need { rows, eligible }, _)| Needed { field, rows, eligible }).collect();
        (!needed.is_empty()).then_some(UploadError::ConstantNeeded(needed))
    }

    pub(super) fn tell(&self, report: &mut Report, constants: &Constants) {
        report.new = self.created;
        report.changed = self.new.len() as u64 - self.created;
        report.already_known = self.already_known;
        report.older = self.older;
        report.eligible = self.eligible;
        let needs = self.needs(constants).into_iter();
        report.constants = needs
            .filter(|(_, need, given)| need.rows > 0 || given.is_some())
            .map(|(field, need, value)| ConstantReport {
                field: field.as_str(),
                label: field.label(),
                rows: need.rows,
                suggested: usual(field),
                value,
                eligible: need.eligible,
            })
            .collect();
    }

    /// Everybody whom the file is about, and whether what it says of them is known already.
    pub(super) fn people(&self) -> impl Iterator<Item = UploadPerson> {
        let new = self.new.iter().map(|judged| UploadPerson {
            line: judged.line,
            employee: judged.record.employee_id.to_string(),
            taken: false,
        });
        let same = self.same.iter().map(|(line, employee)| UploadPerson {
            line: *line,
            employee: employee.clone(),
            taken: true,
        });
        new.chain(same)
    }
}
