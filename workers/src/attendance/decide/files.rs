//! The files of all days that are pending, and what they mean for the runs.

use std::collections::BTreeSet;

use renkei_attendance::decide::Decision;
use renkei_attendance::files::{self, File, FileFault, Naming, Row};
use renkei_runtime::clock::Millis;
use renkei_store::attendance::book;
use renkei_store::attendance::files::{self as stored, NewFile, StoredRow};
use renkei_store::db::Tx;
use renkei_store::jobs::{self, Job};
use renkei_store::runs::{self, RunState};

use super::CHUNK;
use super::question::Judge;
use crate::context::Context;
use crate::error::Result;

/// How many runs of a link may still wait for an import.
const RUNS: u32 = 200;

/// Makes the files that are wanted now, unless they are there, and ends the decision.
pub(super) async fn make(context: &Context, job: &Job, judge: &Judge, now: Millis) -> Result<()> {
    let store = &context.store;
    let (rows, run) = pending(context, judge).await?;
    let made = made(judge, rows);
    let mut open = Vec::new();
    for file in stored::open(&store.db, &judge.link.id).await? {
        open.push(stored::content(store, &store.db, &file).await?.unwrap_or_default());
    }
    let same = open.len() == made.len() && made.iter().zip(&open).all(|(file, bytes)| file.bytes == *bytes);
    let tx = store.begin().await?;
    if !same {
        stored::supersede(&tx, &judge.link.id).await?;
        for file in &made {
            keep(context, &tx, judge, run, file, now).await?;
        }
    }
    runs_follow(&tx, judge).await?;
    jobs::finish(&tx, job).await?;
    tx.commit().await?;
    if !same {
        let rows: usize = made.iter().map(|file| file.rows.len()).sum();
        tracing::info!(link.id = %judge.link.id, file.count = made.len(), file.rows = rows, "attendance files made");
    }
    Ok(())
}

/// The rows of all pending days, and the last run that brought one.
async fn pending(context: &Context, judge: &Judge) -> Result<(Vec<Row>, i64)> {
    let store = &context.store;
    let matching = judge.matching();
    let (mut rows, mut run) = (Vec::new(), 0);
    let mut after = (String::new(), String::new());
    loop {
        let days = book::pending(store, &store.db, &judge.link.id, (&after.0, &after.1), CHUNK).await?;
        let Some(last) = days.last() else { break };
        after = (last.told.day.clone(), last.told.code.clone());
        for day in &days {
            if let Some(Decision::Pending { row, .. }) = judge.decision(&matching, day) {
                rows.push(row);
                run = run.max(day.told.run);
            }
        }
    }
    Ok((rows, run))
}

/// None until somebody said what is closed.
fn made(judge: &Judge, rows: Vec<Row>) -> Vec<File> {
    let Ok(protection) = judge.protection.stated(judge.today) else { return Vec::new() };
    let naming = Naming { made: judge.today, link: judge.link.id.clone() };
    let layout = &judge.settings.files;
    match files::make(rows.iter().cloned(), layout, &naming, &protection) {
        Ok(made) => made.files,
        Err(FileFault::NotInEncoding { codes }) => {
            // The others need not wait for a code that the encoding of the file does not have.
            let foreign: BTreeSet<_> = codes.into_iter().collect();
            tracing::warn!(link.id = %judge.link.id, code.count = foreign.len(),
                "codes do not exist in the encoding of the file");
            let rest = rows.into_iter().filter(|row| !foreign.contains(row.code()));
            files::make(rest, layout, &naming, &protection).map(|made| made.files).unwrap_or_default()
        }
        Err(error) => {
            tracing::error!(link.id = %judge.link.id, error = %error, "attendance files can not be made");
            Vec::new()
        }
    }
}

async fn keep(context: &Context, tx: &Tx, judge: &Judge, run: i64, file: &File, now: Millis) -> Result<()> {
    let rows: Vec<StoredRow> = file
        .rows
        .iter()
        .map(|row| StoredRow {
            number: i64::from(row.number),
            code: row.code.to_string(),
            day: row.day.to_string(),
            content: row.content.as_str().to_owned(),
        })
        .collect();
    let new = NewFile {
        tenant: &judge.link.tenant,
        link: &judge.link.id,
        run,
        part: (file.part, file.parts),
        name: &file.name,
        protection: file.protection.as_str(),
        rows: &rows,
        bytes: &file.bytes,
    };
    stored::insert(&context.store, tx, &new, now).await?;
    Ok(())
}

/// A run waits for the import while days of it are pending; then it is a success, or one with warnings.
async fn runs_follow(tx: &Tx, judge: &Judge) -> Result<()> {
    let tallies = book::tallies(tx, &judge.link.id).await?;
    for mut run in runs::page(tx, &judge.link.tenant, &[&judge.link.id], i64::MAX, RUNS).await? {
        if !matches!(run.state, RunState::Ok | RunState::Warned | RunState::AwaitingImport) {
            continue;
        }
        let tally = tallies.get(&run.id).copied().unwrap_or_default();
        let before = run.clone();
        run.counts.insert("pending".to_owned(), tally.pending);
        run.counts.insert("warnings".to_owned(), tally.warnings);
        run.state = match (tally.pending, tally.warnings) {
            (0, 0) => RunState::Ok,
            (0, _) => RunState::Warned,
            _ => RunState::AwaitingImport,
        };
        if run != before {
            runs::update(tx, &run).await?;
        }
    }
    Ok(())
}
