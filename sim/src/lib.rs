//! World of eisbach: what the agent is tested against, and what the demo shows.

pub mod broker;
