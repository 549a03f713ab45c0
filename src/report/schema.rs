//! The JSON Schema of everything that is printed as JSON, made from the types themselves.

use super::model::{ErrorReport, InspectReport};
use crate::fix::report::FixReport;
use crate::probe::report::ProbeReport;
use crate::simulate::report::SimulateReport;
use crate::symptoms::report::Document;
use schemars::generate::SchemaSettings;
use serde_json::Value;

/// Name and schema (draft 2020-12) of each document.
pub fn schemas() -> Vec<(&'static str, Value)> {
    // The document as it is written: a field that is always there is required, also where it may be null.
    let generator = || SchemaSettings::draft2020_12().for_serialize().into_generator();
    vec![
        ("InspectReport", generator().into_root_schema_for::<InspectReport>().to_value()),
        ("ProbeReport", generator().into_root_schema_for::<ProbeReport>().to_value()),
        ("FixReport", generator().into_root_schema_for::<FixReport>().to_value()),
        ("SimulateReport", generator().into_root_schema_for::<SimulateReport>().to_value()),
        ("PastedReport", generator().into_root_schema_for::<Document<'_>>().to_value()),
        ("Error", generator().into_root_schema_for::<ErrorReport>().to_value()),
    ]
}
