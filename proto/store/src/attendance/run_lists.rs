//! 連携元のみ, クラウドログのみ, near misses and doubles as they were when a run ended, until the run itself is forgotten.

use std::collections::{BTreeMap, BTreeSet};

use renkei_runtime::clock::Millis;
use sea_orm::Value;

use crate::db::{Sql, Tx, pieces, tuples};
use crate::error::{Result, StoreError};
use crate::{Store, forgotten};

/// How many codes of each list are kept of a run.
pub const KEPT: usize = 1_000;

/// Codes of one list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Named {
    /// How many there were.
    pub total: i64,
    /// The first of them.
    pub codes: Vec<String>,
}

/// Codes that look alike.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Near {
    /// As the source has them.
    pub source: Vec<String>,
    /// As クラウドログ has them.
    pub destination: Vec<String>,
}

/// The lists of a run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Lists {
    /// When クラウドログ's member list was uploaded.
    pub list_made: Millis,
    /// How many codes were on both sides.
    pub matched: i64,
    /// 連携元のみ.
    pub only_source: Named,
    /// クラウドログのみ.
    pub only_destination: Named,
    /// How many groups of codes looked alike.
    pub near_total: i64,
    /// The first of them.
    pub near: Vec<Near>,
    /// Codes of several people of the link.
    pub doubles_at_source: Named,
    /// Codes of several members.
    pub doubles_at_destination: Named,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    OnlySource,
    OnlyDestination,
    NearSource,
    NearDestination,
    DoubleSource,
    DoubleDestination,
}

impl Kind {
    const ALL: [Self; 6] = [
        Self::OnlySource,
        Self::OnlyDestination,
        Self::NearSource,
        Self::NearDestination,
        Self::DoubleSource,
        Self::DoubleDestination,
    ];

    fn as_str(self) -> &'static str {
        match self {
            Self::OnlySource => "only_source",
            Self::OnlyDestination => "only_destination",
            Self::NearSource => "near_source",
            Self::NearDestination => "near_destination",
            Self::DoubleSource => "double_source",
            Self::DoubleDestination => "double_destination",
        }
    }

    fn parse(text: &str) -> Result<Self> {
        let found = Self::ALL.into_iter().find(|kind| kind.as_str() == text);
        found.ok_or_else(|| StoreError::Corrupt("kind of a run's code".to_owned()))
    }

    fn is_of_destination(self) -> bool {
        matches!(self, Self::OnlyDestination | Self::NearDestination | Self::DoubleDestination)
    }
}

/// Keeps the lists of a run. Whoever was forgotten may stand in クラウドログ's list still, and is kept in none of these.
///
/// # Errors
/// When the store does not answer.
pub async fn put(store: &Store, tx: &Tx, tenant: &str, run: i64, lists: &Lists) -> Result<()> {
    let header: Vec<Value> = vec![
        run.into(),
        lists.list_made.0.into(),
        lists.matched.into(),
        lists.only_source.total.into(),
        lists.only_destination.total.into(),
        lists.near_total.into(),
        lists.doubles_at_source.total.into(),
        lists.doubles_at_destination.total.into(),
    ];
    let sql = "INSERT INTO run_matchings
        (run_id, list_ms, matched, only_source, only_destination, near, doubles_at_source, doubles_at_destination)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT DO NOTHING";
    tx.exec(sql, header).await?;
    let mut lines = lines(lists);
    let listed: Vec<&str> =
        lines.iter().filter(|(kind, ..)| kind.is_of_destination()).map(|(_, _, code)| *code).collect();
    let forgotten: BTreeSet<String> = forgotten::codes(store, tx, tenant, listed).await?.into_keys().collect();
    lines.retain(|(kind, _, code)| !(kind.is_of_destination() && forgotten.contains(*code)));
    for chunk in pieces(&lines, tx.rows_at_once(4).min(200)) {
        let mut values: Vec<Value> = Vec::with_capacity(chunk.len() * 4);
        for (kind, place, code) in chunk {
            values.extend([run.into(), kind.as_str().into(), (*place).into(), (*code).into()]);
        }
        let sql = format!(
            "INSERT INTO run_codes (run_id, kind, place, code) VALUES {} ON CONFLICT DO NOTHING",
            tuples(chunk.len(), 4, 1)
        );
        tx.exec(&sql, values).await?;
    }
    Ok(())
}

fn lines(lists: &Lists) -> Vec<(Kind, i64, &str)> {
    let mut lines = Vec::new();
    for (kind, named) in [
        (Kind::OnlySource, &lists.only_source),
        (Kind::OnlyDestination, &lists.only_destination),
        (Kind::DoubleSource, &lists.doubles_at_source),
        (Kind::DoubleDestination, &lists.doubles_at_destination),
    ] {
        lines.extend((0..).zip(&named.codes).take(KEPT).map(|(place, code)| (kind, place, code.as_str())));
    }
    let near = |kind: Kind, side: fn(&Near) -> &Vec<String>| {
        let grouped =
            (0..).zip(&lists.near).flat_map(move |(place, near)| side(near).iter().map(move |code| (place, code)));
        grouped.take(KEPT).map(move |(place, code)| (kind, place, code.as_str()))
    };
    lines.extend(near(Kind::NearSource, |near| &near.source));
    lines.extend(near(Kind::NearDestination, |near| &near.destination));
    lines
}

/// The lists of a run; `None`: it did not come to its end, or there was no member list then. Codes of whoever was forgotten since
/// are in none of them, and are counted still.
///
/// # Errors
/// When the store does not answer.
pub async fn find(sql: &impl Sql, run: i64) -> Result<Option<Lists>> {
    let query =
        "SELECT list_ms, matched, only_source, only_destination, near, doubles_at_source, doubles_at_destination
        FROM run_matchings WHERE run_id = $1";
    let Some(header) = sql.row(query, vec![run.into()]).await? else { return Ok(None) };
    let query = "SELECT kind, place, code FROM run_codes WHERE run_id = $1 ORDER BY kind, place, code";
    let mut codes: BTreeMap<Kind, Vec<(i64, String)>> = BTreeMap::new();
    for row in sql.rows(query, vec![run.into()]).await? {
        let kind = Kind::parse(&row.get::<String>("kind")?)?;
        codes.entry(kind).or_default().push((row.get("place")?, row.get("code")?));
    }
    let mut of = |kind: Kind| codes.remove(&kind).unwrap_or_default();
    let mut near: BTreeMap<i64, Near> = BTreeMap::new();
    for (place, code) in of(Kind::NearSource) {
        near.entry(place).or_default().source.push(code);
    }
    for (place, code) in of(Kind::NearDestination) {
        near.entry(place).or_default().destination.push(code);
    }
    let mut named = |kind: Kind, column: &str| -> Result<Named> {
        let codes = of(kind).into_iter().map(|(_, code)| code).collect();
        Ok(Named { total: header.get(column)?, codes })
    };
    Ok(Some(Lists {
        list_made: Millis(header.get("list_ms")?),
        matched: header.get("matched")?,
        only_source: named(Kind::OnlySource, "only_source")?,
        only_destination: named(Kind::OnlyDestination, "only_destination")?,
        near_total: header.get("near")?,
        near: near.into_values().collect(),
        doubles_at_source: named(Kind::DoubleSource, "doubles_at_source")?,
        doubles_at_destination: named(Kind::DoubleDestination, "doubles_at_destination")?,
    }))
}
