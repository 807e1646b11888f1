//! Employees on their way to カオナビ: consumed, judged, mapped, batched, delivered.

pub mod consume;
pub mod doc;
pub mod eligible;
pub mod filter;
pub mod judge;
pub mod map;
pub mod rejected;
pub mod repair;
pub mod steps;

pub use renkei_store::budget;
