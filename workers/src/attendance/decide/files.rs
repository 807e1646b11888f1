//! The files of all days that are pending, and what they mean for the runs.

use std::collections::BTreeMap;

use renkei_attendance::decide::Decision;
use renkei_attendance::files::{self, File, Layout, Naming, Plan, Row};
use renkei_runtime::clock::Millis;
use renkei_store::Store;
use renkei_store::attendance::book;
use renkei_store::attendance::files::{self as stored, FileInfo, NewFile, StoredRow};
use renkei_store::attendance::handwork;
use renkei_store::db::Tx;
use renkei_store::jobs::{self, Job};
use renkei_store::runs::{self, RunState};

use super::question::Judge;
use super::{CHUNK, begin_writing};
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
    Beside(Vec<Row>),
    /// All pending rows go into new files, in the place of those that are open.
    Instead,
}

/// Makes the files that are wanted now, unless they are there, and ends the decision.
pub(super) async fn make(context: &Context, job: &Job, judge: &Judge, now: Millis) -> Result<()> {
    let store = &context.store;
    let link = judge.link.id.as_str();
    let tx = begin_writing(store, job, &judge.link.tenant).await?;
    // Of a decision that was taken off the calendar, or whose worker died.
    stored::discard_unmade(&tx, link).await?;
    tx.commit().await?;
    let pending = pending(context, judge).await?;
    let midnight = calendar::on(judge.today, jiff::civil::Time::midnight());
    let before = stored::made_since(&store.db, link, midnight).await?;
    let naming = Naming { made: judge.today, link: link.to_owned(), before };
    let wanted = wanted(context, judge, &pending, &naming).await?;
    let rows = match &wanted {
        Wanted::Nothing => None,
        Wanted::Beside(rest) => Some(rest),
        Wanted::Instead => Some(&pending.rows),
    };
    let (mut kept, mut written) = (Vec::new(), 0);
    let plan = rows.and_then(|rows| planned(judge, rows.iter(), &judge.settings.files, &naming));
    for file in made(judge, plan.as_ref()) {
        // What was read before somebody is deleted must not be written after it. One at a time: everybody else of the company waits.
        let tx = begin_writing(store, job, &judge.link.tenant).await?;
        kept.push(keep(context, &tx, judge, pending.run, &file, now).await?);
        tx.commit().await?;
        written += file.rows.len();
    }
    let tx = begin_writing(store, job, &judge.link.tenant).await?;
    if matches!(wanted, Wanted::Instead) {
        stored::supersede(&tx, link).await?;
    }
    stored::open_made(&tx, &kept).await?;
    handwork::remove_anothers(&tx, link).await?;
    runs_follow(&tx, judge).await?;
    jobs::finish(&tx, job).await?;
    tx.commit().await?;
    if !kept.is_empty() {
        tracing::info!(link.id = %judge.link.id, file.count = kept.len(), file.rows = written, "attendance files made");
    }
    Ok(())
}

async fn wanted(context: &Context, judge: &Judge, pending: &Pending, naming: &Naming) -> Result<Wanted> {
    let store = &context.store;
    let open = stored::open(&store.db, &judge.link.id).await?;
    let mut outrun = false;
    for file in &open {
        // What a later run wants written again is not done by a file that was imported before that run, perhaps.
        outrun = outrun || stored::is_outrun(&store.db, &judge.link.tenant, file).await?;
    }
    if !outrun && are_right(context, judge, &open, pending, naming).await? {
        return Ok(Wanted::Nothing);
    }
    if !open.is_empty()
        && !outrun
        && let Some(rest) = refused_rest(context, judge, &open, pending).await?
    {
        return Ok(Wanted::Beside(rest));
    }
    Ok(Wanted::Instead)
}

/// Whether the open files say exactly what is pending. Of each only one is held at a time: all of a large company would not fit.
async fn are_right(
    context: &Context,
    judge: &Judge,
    open: &[FileInfo],
    pending: &Pending,
    naming: &Naming,
) -> Result<bool> {
    let store = &context.store;
    let plan = planned(judge, pending.rows.iter(), &judge.settings.files, naming);
    let parts = plan.as_ref().map_or(0, Plan::parts);
    if usize::try_from(parts).ok() != Some(open.len()) {
        return Ok(false);
    }
    for (file, fresh) in open.iter().zip(made(judge, plan.as_ref())) {
        if !is_same(store, file, &fresh).await? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Whether an open file is what would be made now. With other days protected it is not, even with the same rows: whoever asks
/// for it is told that another one is made.
async fn is_same(store: &Store, file: &FileInfo, fresh: &File) -> Result<bool> {
    Ok(file.protection == fresh.protection.as_str()
        && stored::content(store, &store.db, file).await?.as_ref() == Some(&fresh.bytes))
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
                Some(waits) => rows.push(waits),
                None => return Ok(None),
            }
            holds_refused = holds_refused || imported.contains(&(code, day, content));
        }
        let plan = planned(judge, rows.into_iter(), &as_one, &naming);
        let fresh: Vec<File> = made(judge, plan.as_ref()).collect();
        let [fresh] = fresh.as_slice() else { return Ok(None) };
        if !is_same(store, file, fresh).await? {
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
    // A list that grows by doubling would hold up to three times as much as it needs.
    let count = book::count_pending(&store.db, &judge.link.id).await?;
    let mut pending = Pending { rows: Vec::with_capacity(count), run: 0 };
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
fn planned<'r>(
    judge: &Judge,
    rows: impl Iterator<Item = &'r Row>,
    layout: &'r Layout,
    naming: &'r Naming,
) -> Option<Plan<'r>> {
    let protection = judge.protection.stated(judge.today).ok()?;
    Some(files::plan(rows, layout, naming, protection))
}

/// The files of a plan, each made when it is asked for.
fn made<'p>(judge: &'p Judge, plan: Option<&'p Plan<'_>>) -> impl Iterator<Item = File> + 'p {
    plan.into_iter().flat_map(Plan::files).filter_map(|file| {
        file.inspect_err(|error| {
            tracing::error!(link.id = %judge.link.id, error = %error, "an attendance file can not be made");
        })
        .ok()
    })
}

async fn keep(context: &Context, tx: &Tx, judge: &Judge, run: i64, file: &File, now: Millis) -> Result<i64> {
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
    Ok(stored::insert(&context.store, tx, &new, now).await?)
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
