//! How much waits where.

use std::collections::BTreeMap;

use actix_web::{HttpResponse, Resource, web};
use renkei_store::employees::{self, RowState};
use renkei_store::undecodable::{self, Undecodable};
use renkei_store::{owned, people as totals};
use serde::Serialize;
use utoipa::ToSchema;

use super::caller::AnyCaller;
use super::{Answer, Api, Time, resource, within};

/// The state of a tenant, or of the whole installation.
#[derive(Debug, Serialize, ToSchema)]
pub struct SystemView {
    /// The tenant; null: the whole installation.
    tenant: Option<String>,
    /// People by state: due, in_flight, held, parked, skipped, synced, baseline.
    people: BTreeMap<&'static str, i64>,
    /// By connection; empty for the whole installation.
    connections: Vec<SystemConnection>,
    /// Records of the log that could not be read, of the last 30 days.
    undecodable: UndecodableView,
}

/// Records that lie in the dead letter (`renkei.record_undecodable`).
#[derive(Debug, Serialize, ToSchema)]
pub struct UndecodableView {
    /// How many.
    records: i64,
    /// When the last one came.
    last: Option<Time>,
    /// Where it stood on the log: topic/partition/offset.
    last_place: Option<String>,
}

impl From<Undecodable> for UndecodableView {
    fn from(found: Undecodable) -> Self {
        let (at, place) = found.last.unzip();
        Self { records: found.records, last: at.map(Time::from), last_place: place }
    }
}

/// The state of one connection.
#[derive(Debug, Serialize, ToSchema)]
pub struct SystemConnection {
    /// Its id.
    id: String,
    /// draft, active, paused, halted, disconnected.
    state: &'static str,
    /// People by state.
    people: BTreeMap<&'static str, i64>,
}

pub(super) fn resources() -> Vec<Resource> {
    vec![resource("/system").route(web::get().to(get_system))]
}

fn none() -> BTreeMap<&'static str, i64> {
    RowState::ALL.into_iter().map(|state| (label(state), 0)).collect()
}

fn label(state: RowState) -> &'static str {
    if state == RowState::Flying { "in_flight" } else { state.as_str() }
}

/// How many people are in which state: of a tenant per connection, for the platform in all.
#[utoipa::path(get, path = "/api/v1/system", tag = "either", responses((status = 200, body = SystemView)))]
pub(super) async fn get_system(caller: AnyCaller, api: web::Data<Api>) -> Answer {
    let view = within(&api, async {
        let (mut people, mut connections) = (none(), Vec::new());
        let mut ids = caller.tenant.as_ref().map(|_| Vec::new());
        match &caller.tenant {
            None => {
                for (state, count) in totals::totals(&api.store.db).await? {
                    *people.entry(label(state)).or_default() += count;
                }
            }
            Some(tenant) => {
                for own in owned::all(&api.store, &api.store.db, tenant).await? {
                    let mut of_it = none();
                    for (state, _, count) in employees::counts(&api.store.db, &own.id).await? {
                        *of_it.entry(label(state)).or_default() += count;
                        *people.entry(label(state)).or_default() += count;
                    }
                    let (id, state) = (own.id.clone(), own.state.as_str());
                    ids.get_or_insert_default().push(id.clone());
                    connections.push(SystemConnection { id, state, people: of_it });
                }
            }
        }
        let undecodable = undecodable::of(&api.store.db, ids.as_deref()).await?.into();
        Ok(SystemView { tenant: caller.tenant().map(str::to_owned), people, connections, undecodable })
    });
    Ok(HttpResponse::Ok().json(view.await?))
}
