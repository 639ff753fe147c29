//! `Json` writes what serde can.

use streams::prelude::*;

#[derive(Json)]
pub struct Measurement {
    pub celsius: f64,
}

fn main() {}
