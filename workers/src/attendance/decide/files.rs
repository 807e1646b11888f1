//! The files of all days that are pending, and what they mean for the runs.

use std::collections::{BTreeMap, BTreeSet};

use renkei_attendance::decide::Decision;
use renkei_attendance::files::{self, File, FileFault, Layout, Naming, Row};
use renkei_runtime::clock::Millis;
use renkei_store::attendance::book;
use renkei_store::attendance::files::{self as stored, FileInfo, NewFile, StoredRow};
use renkei_store::db::Tx;
use renkei_store::jobs::{self, Job};
use renkei_store::runs::{self, RunState};

use super::CHUNK;
use super::question::Judge;
use crate::context::Context;
use crate::error::Result;
use crate::sweep::calendar;

/// How many runs of a link may still wait for an import.
const RUNS: u32 = 200;
/// What a run counted that no day of the book tells of, and that somebody should know.
const NOTED: [&str; 4] = ["unreadable", "without_code", "doubles", "in_several_links"];

/// What has to be imported.
struct Pending {
    rows: Vec<Row>,
    /// The last run that brought one.
    run: i64,
}

/// What becomes of the files that are open, and which come beside them.
enum Wanted {
    /// What is open is right.
    Nothing,
    /// What is open stays in the hands that hold it, and the rest goes into files of its own.
    Beside(Vec<File>),
    /// All pending rows go into new files, in the place of those that are open.
    Instead(Vec<File>),
}

/// Makes the files that are wanted now, unless they are there, and ends the decision.
pub(super) async fn make(context: &Context, job: &Job, judge: &Judge, now: Millis) -> Result<()> {
    let store = &context.store;
    let pending = pending(context, judge).await?;
    let run = pending.run;
    let wanted = wanted(context, judge, pending).await?;
    let tx = store.begin().await?;
    let made = match &wanted {
        Wanted::Nothing => &Vec::new(),
        Wanted::Beside(made) => made,
        Wanted::Instead(made) => {
            stored::supersede(&tx, &judge.link.id).await?;
            made
        }
    };
    for file in made {
        keep(context, &tx, judge, run, file, now).await?;
    }
    runs_follow(&tx, judge).await?;
    jobs::finish(&tx, job).await?;
    tx.commit().await?;
    if !made.is_empty() {
        let rows: usize = made.iter().map(|file| file.rows.len()).sum();
        tracing::info!(link.id = %judge.link.id, file.count = made.len(), file.rows = rows, "attendance files made");
    }
    Ok(())
}

async fn wanted(context: &Context, judge: &Judge, pending: Pending) -> Result<Wanted> {
    let store = &context.store;
    let open = stored::open(&store.db, &judge.link.id).await?;
    let mut outrun = false;
    for file in &open {
        // What a later run wants written again is not done by a file that was imported before that run, perhaps.
        outrun = outrun || stored::is_outrun(&store.db, &judge.link.tenant, file).await?;
    }
    let midnight = calendar::on(judge.today, jiff::civil::Time::midnight());
    let before = stored::made_since(&store.db, &judge.link.id, midnight).await?;
    let naming = Naming { made: judge.today, link: judge.link.id.clone(), before };
    let all = made(judge, pending.rows.iter().cloned(), &judge.settings.files, &naming);
    let mut same = open.len() == all.len() && !outrun;
    for (file, fresh) in open.iter().zip(&all) {
        same = same && stored::content(store, &store.db, file).await?.as_deref() == Some(&fresh.bytes[..]);
    }
    if same {
        return Ok(Wanted::Nothing);
    }
    if !open.is_empty()
        && !outrun
        && let Some(rest) = refused_rest(context, judge, &open, &pending).await?
    {
        return Ok(Wanted::Beside(made(judge, rest.into_iter(), &judge.settings.files, &naming)));
    }
    Ok(Wanted::Instead(all))
}

/// The pending rows beside those of the open files, if they are nothing but rows that クラウドログ refused of a file which was
/// marked, and the open files are still right: whoever holds these can go on with them.
async fn refused_rest(
    context: &Context,
    judge: &Judge,
    open: &[FileInfo],
    pending: &Pending,
) -> Result<Option<Vec<Row>>> {
    let store = &context.store;
    let key = |row: &Row| (row.code().to_string(), row.day().to_string());
    let mut rest: BTreeMap<(String, String), &Row> = pending.rows.iter().map(|row| (key(row), row)).collect();
    let as_one = Layout { rows_per_file: 0, ..judge.settings.files.clone() };
    let naming = Naming { made: judge.today, link: judge.link.id.clone(), before: 0 };
    let run = open.iter().map(|file| file.run).max().unwrap_or_default();
    let imported = stored::rows_of_imported(&store.db, &judge.link.id, run).await?;
    let mut holds_refused = false;
    for file in open {
        let mut rows = Vec::new();
        for row in stored::rows(&store.db, file.id).await? {
            let StoredRow { code, day, content, .. } = row;
            match rest.remove(&(code.clone(), day.clone())) {
                Some(waits) => rows.push(waits.clone()),
                None => return Ok(None),
            }
            holds_refused = holds_refused || imported.contains(&(code, day, content));
        }
        let fresh = made(judge, rows.into_iter(), &as_one, &naming);
        let bytes = stored::content(store, &store.db, file).await?;
        if fresh.len() != 1 || fresh.first().map(|file| &file.bytes) != bytes.as_ref() {
            return Ok(None);
        }
    }
    // With nothing left, they are cut otherwise than new ones would be, because one of them is of refused rows.
    if rest.is_empty() && !holds_refused {
        return Ok(None);
    }
    let refused = rest
        .iter()
        .all(|((code, day), row)| imported.contains(&(code.clone(), day.clone(), row.content().as_str().to_owned())));
    Ok(refused.then(|| rest.into_values().cloned().collect()))
}

/// The rows of all pending days.
async fn pending(context: &Context, judge: &Judge) -> Result<Pending> {
    let store = &context.store;
    let matching = judge.matching();
    let mut pending = Pending { rows: Vec::new(), run: 0 };
    let mut after = (String::new(), String::new());
    loop {
        let days = book::pending(store, &store.db, &judge.link.id, (&after.0, &after.1), CHUNK).await?;
        let Some(last) = days.last() else { break };
        after = (last.told.day.clone(), last.told.code.clone());
        for day in &days {
            if let Some(Decision::Pending { row, .. }) = judge.decision(&matching, day) {
                pending.rows.push(row);
                pending.run = pending.run.max(day.told.run);
            }
        }
    }
    Ok(pending)
}

/// None until somebody said what is closed.
fn made(judge: &Judge, rows: impl Iterator<Item = Row> + Clone, layout: &Layout, naming: &Naming) -> Vec<File> {
    let Ok(protection) = judge.protection.stated(judge.today) else { return Vec::new() };
    match files::make(rows.clone(), layout, naming, &protection) {
        Ok(made) => made.files,
        Err(FileFault::NotInEncoding { codes }) => {
            // The others need not wait for a code that the encoding of the file does not have.
            let foreign: BTreeSet<_> = codes.into_iter().collect();
            tracing::warn!(link.id = %judge.link.id, code.count = foreign.len(),
                "codes do not exist in the encoding of the file");
            let rest = rows.filter(|row| !foreign.contains(row.code()));
            files::make(rest, layout, naming, &protection).map(|made| made.files).unwrap_or_default()
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
        let notes: i64 = NOTED.iter().filter_map(|what| run.counts.get(*what)).sum();
        let warnings = tally.warnings + notes;
        run.counts.insert("warnings".to_owned(), warnings);
        run.state = match (tally.pending, warnings) {
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
