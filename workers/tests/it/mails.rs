//! I11: every failure that needs a person reaches one, once, and says who, why and what to do.

mod deleted;
mod links;
mod planner;
mod smtp;
mod steps;
mod tenants;
mod texts;
